"""What JPEG loses, by torch, for a batch of pictures: level for level what libjpeg writes and reads
again (baseline, 4:2:0).

Entropy coding loses nothing, so it is left out. All the rest is whole numbers here as there:
colours by 16-bit fixed point (ITU-T T.871), halved colour as means of four, the cosine transform of
Loeffler, Ligtenberg & Moschytz 1989 in 13-bit fixed point, quantisation by the tables of ITU-T T.81
annex K, and colour enlarged by weights of 9, 3, 3 and 1 sixteenths. A pass of the transform is a
matrix of whole numbers; its products are exact in float64 in whatever order a device adds them, so
that every device gives the same levels.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

BLOCK, GRID = 8, 16
FIXED_BITS = 13  # of the transform's constants
KEPT_BITS = 2  # more precision between its two passes

LUMA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 18 22 37"
    " 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
CHROMA = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99"
    " 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"
)


def jpeg(pixels: Tensor, tables: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """What pictures look like after JPEG and back.

    pixels: (N, 3, H, W) uint8 RGB, H and W multiples of 16; what lies beyond a picture's own size
    is not looked at.
    tables: (N, 2, 8, 8) int64, of luma and chroma, as `tables_of` gives them.
    heights, widths: (N,) int64, of each picture, at most H and W.
    Returns (N, 3, H, W) uint8, the levels of libjpeg-turbo for pictures wider than 4 px; beyond a
    picture's own size it means nothing.
    """
    rows, columns = (torch.arange(side, device=pixels.device) for side in pixels.shape[2:])
    # Blocks that the picture does not fill are filled with its last row and column.
    full = _gathered(pixels, rows.minimum(heights[:, None] - 1), columns.minimum(widths[:, None] - 1)).long()
    luma, blue, red = _to_ycc(full)
    halves = [_halved(part) for part in (blue, red)]
    low, narrow = (heights + 1) // 2, (widths + 1) // 2
    half_rows, half_columns = rows[: rows.numel() // 2], columns[: columns.numel() // 2]
    chroma = _gathered(
        torch.stack(halves, 1), half_rows.minimum(low[:, None] - 1), half_columns.expand(len(low), -1)
    )
    luma = _coded(luma[:, None], tables[:, :1])[:, 0]
    chroma = _coded(chroma, tables[:, 1:].expand(-1, 2, -1, -1))
    # Colour is enlarged by mixing neighbours; at the picture's own border there is none but itself.
    blue, red = _doubled(
        _gathered(chroma, half_rows.minimum(low[:, None] - 1), half_columns.minimum(narrow[:, None] - 1))
    ).unbind(1)
    return _to_rgb(luma, blue, red)


@cache
def tables_of(quality: int) -> npt.NDArray[np.int64]:
    """(2, 8, 8): the divisors of luma and chroma at a quality of 1 to 100, scaled as libjpeg scales
    them.

    >>> tables_of(50)[0, 0, :3].tolist(), tables_of(100).max().item(), tables_of(90)[1, 7, 7].item()
    ([16, 11, 10], 1, 20)
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    plain = np.array([text.split() for text in (LUMA, CHROMA)], np.int64).reshape(2, BLOCK, BLOCK)
    return np.clip((plain * percent + 50) // 100, 1, 255)


def _gathered(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, H, W) at (N, h) rows and (N, w) columns of each."""
    down = pictures.take_along_dim(rows[:, None, :, None], 2)
    return down.take_along_dim(columns[:, None, None, :], 3)


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 3, H, W) to luma and the two differences of colour, each (N, H, W), 0 to 255."""
    red, green, blue = rgb.unbind(1)
    half, middle = 1 << 15, (128 << 16) + (1 << 15) - 1
    return (
        (19595 * red + 38470 * green + 7471 * blue + half) >> 16,
        (-11059 * red - 21709 * green + 32768 * blue + middle) >> 16,
        (32768 * red - 27439 * green - 5329 * blue + middle) >> 16,
    )


def _to_rgb(luma: Tensor, blue: Tensor, red: Tensor) -> Tensor:
    """Back again, clipped: (N, 3, H, W) uint8."""
    blue, red, half = blue - 128, red - 128, 1 << 15
    found = torch.stack(
        [
            luma + ((91881 * red + half) >> 16),
            luma + ((-22554 * blue - 46802 * red + half) >> 16),
            luma + ((116130 * blue + half) >> 16),
        ],
        dim=1,
    )
    return found.clamp_(0, 255).to(torch.uint8)


def _halved(part: Tensor) -> Tensor:
    """(N, H, W) to half the size each way: means of four, rounded down and up in turn along a row."""
    fours = part[:, ::2, ::2] + part[:, ::2, 1::2] + part[:, 1::2, ::2] + part[:, 1::2, 1::2]
    return (fours + 1 + torch.arange(fours.shape[2], device=part.device) % 2) >> 2


def _doubled(part: Tensor) -> Tensor:
    """(N, C, H, W) to twice the size: each new pixel three parts its own, one part its neighbour's,
    each way; rounded up and down in turn.
    """
    up, down = (
        torch.cat(ends, dim=2)
        for ends in ((part[:, :, :1], part[:, :, :-1]), (part[:, :, 1:], part[:, :, -1:]))
    )
    tall = torch.stack([3 * part + up, 3 * part + down], dim=3).flatten(2, 3)
    left, right = (
        torch.cat(ends, dim=3) for ends in ((tall[..., :1], tall[..., :-1]), (tall[..., 1:], tall[..., -1:]))
    )
    return torch.stack([(3 * tall + left + 8) >> 4, (3 * tall + right + 7) >> 4], dim=4).flatten(3, 4)


def _coded(parts: Tensor, tables: Tensor) -> Tensor:
    """(N, C, H, W) of 0 to 255 through cosine transform, quantisation by (N, C, 8, 8) and back, 0
    to 255.
    """
    count, channels, height, width = parts.shape
    matrix = _transform_on(parts.device)
    blocks = (
        (parts - 128)
        .reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        .transpose(3, 4)
        .double()
    )
    rows = _shifted(blocks @ matrix.T, FIXED_BITS - KEPT_BITS)
    found = _shifted(matrix @ rows, FIXED_BITS + KEPT_BITS)
    # The transform leaves its results eight times too large.
    divisors = tables[:, :, None, None].double()
    levels = torch.floor((found.abs() + 4 * divisors) / (8 * divisors)) * found.sign()
    columns = _shifted(matrix.T @ (levels * divisors), FIXED_BITS - KEPT_BITS)
    back = _shifted(columns @ matrix, FIXED_BITS + KEPT_BITS + 3)
    return back.long().add_(128).clamp_(0, 255).transpose(3, 4).reshape(parts.shape)


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Whole numbers divided by 2^bits, halves up."""
    return torch.floor((values + 2 ** (bits - 1)) * 2.0**-bits)


@cache
def _transform() -> npt.NDArray[np.float64]:
    """(8, 8): one pass of the cosine transform in 13-bit fixed point, frequencies down; its
    transpose leads back.

    Cosines k·π/16 times √2, in the sums that the fast algorithm of Loeffler, Ligtenberg & Moschytz
    multiplies by: each of its twelve constants is rounded before they are added up, so these are
    not quite the rounded cosines.
    """

    def fixed(value: float) -> int:
        return round(value * (1 << FIXED_BITS))

    c = [math.sqrt(2) * math.cos(k * math.pi / 16) for k in range(8)]
    one, turn = 1 << FIXED_BITS, fixed(c[6])
    two, six = turn + fixed(c[2] - c[6]), turn - fixed(c[2] + c[6])
    # Of the sums of samples 0 and 7, 1 and 6, 2 and 5, 3 and 4: frequencies 0, 2, 4, 6.
    even = np.array(
        [[one, one, one, one], [two, turn, -turn, -two], [one, -one, -one, one], [turn, six, -six, -turn]]
    )
    outer, inner, near, far, all_four = (
        fixed(value) for value in (c[3] - c[7], c[1] + c[3], c[3] - c[5], c[3] + c[5], c[3])
    )
    own = [
        fixed(sign * c[1] + c[3] + five * c[5] + seven * c[7])
        for sign, five, seven in ((1, -1, -1), (1, 1, -1), (1, -1, 1), (-1, 1, -1))
    ]
    # Of their differences: frequencies 1, 3, 5, 7.
    shared = np.array(
        [
            [outer + near, 0, near, outer],
            [0, inner + far, inner, far],
            [near, inner, inner + near, 0],
            [outer, far, 0, outer + far],
        ]
    )
    odd = np.diag(own) + all_four - shared
    matrix = np.empty((BLOCK, BLOCK))
    matrix[0::2] = np.concatenate([even, even[:, ::-1]], axis=1)
    matrix[1::2] = np.concatenate([odd, -odd[:, ::-1]], axis=1)
    return matrix


@cache
def _transform_on(device: torch.device) -> Tensor:
    return torch.from_numpy(_transform()).to(device)
