"""Convolutions with fewer multiplications, on processors in float32: Winograd's minimal filtering (Lavin &
Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308, sec. 4).

Tiles of an input, their transforms, and so the weights', are multiplied place by place. For kernels of 3×3,
36 products make 4×4 answers in place of 144; for 4×4 they make 3×3 in place of 144; both share the paper's
six points. What stays are products of matrices and sums. The error stays that of float32, some 4 times
oneDNN's. benchmarks/winograd.py says both, and where it is faster: many channels over many places.

Not in bfloat16, where six points lose two digits, and the four that lose one bit make the pass a tenth
shorter.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

# Channels in × out and places (over the batch) from which on it was faster in every shape tried, by the side
# of the kernel.
LEAST_CHANNELS = {3: 128 * 128, 4: 128 * 256}
LEAST_PLACES = 1024
AT_ONCE = 256  # tiles, so that all of them stay near the processor
AT_ONCE_FOR_WEIGHTS = 1024  # each part adds to all weights


class Transform(NamedTuple):
    """How tiles of side × side answers are made. Each matrix is a Kronecker square of the paper's: spread Bᵀ,
    weigh G, gather Aᵀ.
    """

    side: int
    spread: Tensor
    weigh: Tensor
    gather: Tensor


def gains(x: Sequence[int], weight: Tensor, precision: torch.dtype, plain: bool = True) -> bool:
    """Whether a convolution of weights (C', C, k, k) over a map of the shape x (N, C, H, W), computed in a
    precision, goes by tiles. plain: neither strided nor dilated nor in groups.
    """
    side = weight.shape[-1]
    return (
        plain
        and precision == torch.float32
        and len(x) == weight.dim() == 4
        and weight.device.type == "cpu"
        and weight.shape[2] == side
        and not torch.compiler.is_compiling()
        and pays()
        and weight.shape[0] * weight.shape[1] >= LEAST_CHANNELS.get(side, 1 << 62)
        and x[0] * x[2] * x[3] >= LEAST_PLACES
    )


@cache
def pays() -> bool:
    """Whether this machine's processor is of the kind on which it was measured to pay."""
    machine = platform.machine() in ("x86_64", "AMD64")
    return machine and bool(torch.cpu.get_capabilities().get("avx2"))


def by_tiles(x_NCHW: Tensor, weight: Tensor, bias: Tensor | None, border: Sequence[int]) -> Tensor:
    """The convolution with a border of so many zeros down and across: (N, C', H', W'), whose memory is
    channels_last. All float32.
    """
    further, transform = weight.shape[-1] - 1, transform_of(weight.shape[-1])
    spread, weigh, gather = transform.spread, transform.weigh, transform.gather
    taps = weight.permute(2, 3, 0, 1).reshape(weigh.shape[1], -1)
    weights = torch.mm(weigh, taps).view(-1, *weight.shape[:2])
    down, across = (side + 2 * zeros - further for side, zeros in zip(x_NCHW.shape[2:], border, strict=True))
    padded = _padded(transform, x_NCHW, border, down, across, further)
    count, height, width, channels = padded.shape
    shape = count, len(weight), height - further, width - further
    # No view of a tensor is given back: who is may not be written over where a gradient is to come.
    out_NCHW = torch.empty(shape, memory_format=torch.channels_last)
    tiles, answers = _tiles(transform, padded, further), _tiles(transform, out_NCHW.permute(0, 2, 3, 1), 0)
    for part in _parts(tiles, AT_ONCE):
        shown = torch.mm(spread, tiles[part].reshape(len(spread), -1))
        products = torch.bmm(shown.view(len(spread), -1, channels), weights.mT)
        made = torch.mm(gather, products.view(len(spread), -1)).view(answers[part].shape)
        if bias is None:
            answers[part] = made
        else:
            torch.add(made, bias, out=answers[part])
    if (down, across) == shape[2:]:
        return out_NCHW
    return out_NCHW[:, :, :down, :across].contiguous(memory_format=torch.channels_last)


def by_weight(x_NCHW: Tensor, g_NCHW: Tensor, kernel: int, border: Sequence[int]) -> Tensor:
    """⟨g, w ∗ x⟩ by w (C', C, k, k): what a pass backward gives the weights. All float32."""
    further, transform = kernel - 1, transform_of(kernel)
    spread, weigh, gather = transform.spread, transform.weigh, transform.gather
    down, across = g_NCHW.shape[2:]
    padded = _padded(transform, x_NCHW, border, down, across, further)
    above = _padded(transform, g_NCHW, (0, 0), down, across, 0)
    tiles, gradients = _tiles(transform, padded, further), _tiles(transform, above, 0)
    channels, out = tiles.shape[-1], gradients.shape[-1]
    total = padded.new_zeros(len(spread), out, channels)
    for part in _parts(tiles, AT_ONCE_FOR_WEIGHTS):
        shown = torch.mm(spread, tiles[part].reshape(len(spread), -1)).view(len(spread), -1, channels)
        slopes = torch.mm(gather.T, gradients[part].reshape(len(gather), -1)).view(len(spread), -1, out)
        total.baddbmm_(slopes.mT, shown)
    by_taps = torch.mm(weigh.T, total.view(len(spread), -1))
    found = torch.empty((out, channels, kernel, kernel), memory_format=torch.channels_last)
    return found.copy_(by_taps.view(kernel, kernel, out, channels).permute(2, 3, 0, 1))


@cache
def transform_of(kernel: int) -> Transform:
    """The transform for kernels of 3×3 or 4×4, by the points 0, 1, -1, 2, -2 and the one at infinity."""
    spread = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
    spread += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    points, shares, side = (0, 1, -1, 2, -2), (6, -4, -4, 1, 1), 7 - kernel
    weigh = [
        [share * point**power for power in range(kernel)] for point, share in zip(points, shares, strict=True)
    ]
    weigh += [[*[0] * (kernel - 1), 24]]
    gather = [[*(point**power for point in points), int(power == side - 1)] for power in range(side)]
    return Transform(side, _square(spread), _square(weigh) / 24**2, _square(gather))


def _square(matrix: Sequence[Sequence[int]]) -> Tensor:
    one = torch.tensor(matrix, dtype=torch.float32)
    return torch.kron(one, one)


def _padded(
    transform: Transform, x_NCHW: Tensor, border: Sequence[int], down: int, across: int, further: int
) -> Tensor:
    """(N, H, W, C) with its border, and zeros up to whole tiles of answers and so many px more."""
    x_NHWC, side = x_NCHW.permute(0, 2, 3, 1), transform.side
    height, width = (-(-answers // side) * side + further for answers in (down, across))
    (top, left), (rows, columns) = border, x_NHWC.shape[1:3]
    if (height, width) == (rows, columns) and x_NHWC.is_contiguous():
        return x_NHWC
    padded = x_NHWC.new_zeros(len(x_NHWC), height, width, x_NHWC.shape[3])
    padded[:, top : top + rows, left : left + columns] = x_NHWC
    return padded


def _tiles(transform: Transform, x_NHWC: Tensor, overlap: int) -> Tensor:
    """A view of the tiles: (rows, columns of a tile, N, tiles down, tiles across, C)."""
    step = transform.side
    count, height, width, channels = x_NHWC.shape
    by_photo, by_row, by_column, _ = x_NHWC.stride()
    down, across = ((each - overlap) // step for each in (height, width))
    return x_NHWC.as_strided(
        (step + overlap, step + overlap, count, down, across, channels),
        (by_row, by_column, by_photo, by_row * step, by_column * step, 1),
    )


def _parts(tiles: Tensor, most: int) -> Iterator[tuple[slice, ...]]:
    """Parts of about so many tiles: whole photos, or rows of tiles of one."""
    count, down, across = tiles.shape[2:5]
    photos = max(1, most // (down * across))
    rows = down if down * across <= most else max(1, most // across)
    for first in range(0, count, photos):
        for top in range(0, down, rows):
            yield slice(None), slice(None), slice(first, first + photos), slice(top, top + rows)
