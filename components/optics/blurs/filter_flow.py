"""Blur that changes over the photo, as one kernel per node of a grid and a smooth change from node
to node.

Efficient filter flow (Hirsch, Sra, Schölkopf and Harmeling 2010): each node's neighbourhood is
convolved with the node's kernel, weighted by a tent that is 1 at the node and 0 at its neighbours,
and added up. The tents sum to 1 everywhere, so that light is kept. Where neighbouring kernels
differ by a shift of d px, the result is off by at most d²/8 of the picture's second difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from components.optics.blurs.convolve import DIRECT_TAPS
from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]

COEFFICIENTS = (
    129  # of a tile; from 130 on OpenCV takes a Fourier transform, which costs the same for few taps and many
)
SQUARE, LONG, SHORT = 11, 21, 5  # rows of a tile that is 11, 6 and 25 columns wide
# a side of what is convolved at a time, so that it stays in the cache: twice as fast as the whole
# photo
BLOCK_PX = 256

Tile = tuple[int, int, Floats]  # row and column in the kernel, values


def convolved_by_place(light: Floats, rows: Doubles, columns: Doubles, kernels: Floats) -> Floats:
    """Blur each place with the kernel that the grid's nodes give it, bilinear between them. Borders
    are reflected.

    light: (H, W) or (H, W, C) float32.
    rows, columns: (R,) and (S,) px, increasing, the nodes' places; beyond the outermost nodes their
    kernels hold.
    kernels: (R, S, side, side) float32, side odd, each summing to 1; the middle pixel is where the
    point was.
    Returns float32 of the same shape.
    """
    photo = light[:, :, 0] if light.ndim == 3 and light.shape[2] == 1 else light
    channels = 1 if photo.ndim == 2 else photo.shape[2]
    total = np.zeros_like(photo)
    tents = list(_tents(columns, photo.shape[1]))
    for row, top, bottom, down in _tents(rows, photo.shape[0]):
        plans = [tiles(kernel) for kernel in kernels[row]]
        for column, left, right, across in tents:
            window = surrounded(photo, (top, bottom, left, right), kernels.shape[-1] // 2)
            part = convolved_inside(window, plans[column], bottom - top, right - left)
            tent = np.multiply.outer(down, across)
            cv2.accumulateProduct(
                part, tent if channels == 1 else cv2.merge([tent] * channels), total[top:bottom, left:right]
            )
    return total.reshape(light.shape)


def convolved_inside(light: Floats, plan: Sequence[Tile], height: int, width: int) -> Floats:
    """Convolve only where the whole kernel lies on the photo.

    light: (height + side − 1, width + side − 1) or the same with channels, float32.
    plan: what `tiles` makes of a kernel of that side.
    Returns (height, width) or (height, width, C) float32.
    """
    total = None
    for row, column, tile in plan:
        part = light[row : row + height + tile.shape[0] - 1, column : column + width + tile.shape[1] - 1]
        share = cv2.filter2D(part, -1, tile, anchor=(0, 0))[:height, :width]
        total = share if total is None else cv2.add(total, share, dst=total)
    assert total is not None, "a kernel without light"
    return np.asarray(total, dtype=np.float32)


def tiles(kernel: Floats) -> list[Tile]:
    """Cut a kernel, turned around as filter2D wants it, into pieces that hold all its light and
    stay below the Fourier transform.

    A kernel of so many taps that the transform is faster stays whole.
    """
    # A convolution: filter2D correlates.
    turned = np.ascontiguousarray(kernel[::-1, ::-1])
    lit = turned != 0
    if np.count_nonzero(lit) > DIRECT_TAPS:
        return [(0, 0, turned)]
    lit_rows = np.flatnonzero(lit.any(axis=1))
    high, wide = lit_rows[-1] - lit_rows[0] + 1, np.ptp(np.flatnonzero(lit.any(axis=0))) + 1
    tall = SHORT if high <= SHORT else LONG if wide <= COEFFICIENTS // LONG else SQUARE
    across = COEFFICIENTS // tall
    made = []
    while lit_rows.size:
        row = int(lit_rows[0])
        lit_columns = np.flatnonzero(lit[row : row + tall].any(axis=0))
        while lit_columns.size:
            column = int(lit_columns[0])
            made.append(
                (row, column, np.ascontiguousarray(turned[row : row + tall, column : column + across]))
            )
            lit_columns = lit_columns[lit_columns >= column + across]
        lit_rows = lit_rows[lit_rows >= row + tall]
    return made


def _tents(nodes: Doubles, length: int) -> Iterator[tuple[int, int, int, Floats]]:
    """Every node's stretch of an axis, in blocks: the node's number, first pixel, pixel past the
    last, and the weights between.
    """
    pixels = np.arange(length)
    for number in range(len(nodes)):
        weights = np.interp(pixels, nodes, np.eye(len(nodes))[number]).astype(np.float32)
        lit = np.flatnonzero(weights)
        if lit.size == 0:
            continue
        first, end = int(lit[0]), int(lit[-1]) + 1
        pieces = -(-(end - first) // BLOCK_PX)
        cuts = [first + (end - first) * piece // pieces for piece in range(pieces + 1)]
        for start, stop in pairwise(cuts):
            yield number, start, stop, weights[start:stop]


def surrounded(photo: Floats, box: tuple[int, int, int, int], reach: int) -> Floats:
    """A part of the photo (top, bottom, left, right) with `reach` px more on every side, reflected
    where the photo ends.
    """
    (top, bottom, left, right), (height, width) = box, photo.shape[:2]
    inner = photo[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
    missing = (
        max(reach - top, 0),
        max(bottom + reach - height, 0),
        max(reach - left, 0),
        max(right + reach - width, 0),
    )
    return (
        inner
        if not any(missing)
        else np.asarray(cv2.copyMakeBorder(inner, *missing, cv2.BORDER_REFLECT_101), dtype=np.float32)
    )
