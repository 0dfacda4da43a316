"""Convolution of photos with blur kernels: few taps in a wide frame, which is what motion leaves.

OpenCV's filter skips zeros only in kernels below 130 coefficients and takes a Fourier transform
above: 25 to 31 ms at 1280×720 whatever the kernel. A trajectory has about 100 taps, so it is cut
into tiles that stay below (0.08 ms a tap).

A pixel's value depends on its neighbourhood alone, bit for bit: a part of a photo, cut out with as
much around it as the kernel reaches, gives what the whole photo gives there. OpenCV takes the
Fourier transform in double precision, which leaves nothing of its size after rounding; its direct
filters round the last few columns of a row otherwise than the rest, so these lie in a spare strip.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

TILE_PX = 11  # 11 × 11 is the largest square below 130 coefficients
DIRECT_TAPS = 280  # above, the Fourier transform is faster (measured at 1280×720 and 256×256)
BLOCK_ROWS = 64  # at a time: what is read again for each tile then stays in the processor's cache
# columns right of the photo: more than OpenCV's direct filters take at once, so none of the photo's
# is among the last few
SPARE_PX = 16


def convolved(light: Floats, psf: Floats) -> Floats:
    """Spread every point of a photo as the PSF shows, reflecting at the borders (the edge row is
    not repeated).

    light: (H, W) or (H, W, C) float32, H and W at least half the PSF's sides.
    psf: (h, w) float32, both odd; its middle pixel is where the point was.
    Returns float32 of the same shape.
    """
    # A convolution: filter2D correlates, so the kernel is turned around first.
    kernel = np.ascontiguousarray(psf[::-1, ::-1])
    taps = np.count_nonzero(kernel)
    if taps == kernel.size == 1:
        return np.asarray(light * kernel[0, 0], dtype=np.float32)
    if taps > DIRECT_TAPS:
        return np.asarray(
            cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT_101), dtype=np.float32
        )
    tiles, found = list(_tiles(kernel)), np.empty(light.shape, np.float32)
    for top in range(0, len(light), BLOCK_ROWS):
        _spread(light, kernel, tiles, top, found[top : top + BLOCK_ROWS])
    return found


def _spread(
    light: Floats, kernel: Floats, tiles: list[tuple[int, int, Floats]], top: int, found: Floats
) -> None:
    """Some rows of the result, from `top` on, into `found`."""
    height, width = len(found), light.shape[1]
    up, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    first, last = max(0, top - up), min(len(light), top + height + up)
    above, below = first - (top - up), top + height + up - last
    padded = cv2.copyMakeBorder(
        light[first:last], above, below, left, left + SPARE_PX, cv2.BORDER_REFLECT_101
    )
    for place, (row, column, tile) in enumerate(tiles):
        part = padded[
            row : row + height + tile.shape[0] - 1, column : column + width + tile.shape[1] - 1 + SPARE_PX
        ]
        share = cv2.filter2D(part, -1, tile, anchor=(0, 0))[:height, :width]
        if place:
            cv2.add(found, share, dst=found)
        else:
            found[:] = share


def with_spare(light: Floats) -> Floats:
    """The photo with SPARE_PX columns more at its right, for filters to end in."""
    return np.asarray(cv2.copyMakeBorder(light, 0, 0, 0, SPARE_PX, cv2.BORDER_REPLICATE), dtype=np.float32)


def _tiles(kernel: Floats) -> Iterator[tuple[int, int, Floats]]:
    """Row, column and values of pieces of at most TILE_PX a side that together hold all the
    kernel's light.
    """
    lit_rows = np.flatnonzero(kernel.any(axis=1))
    for row in range(lit_rows[0], lit_rows[-1] + 1, TILE_PX):
        band = kernel[row : row + TILE_PX]
        lit_columns = np.flatnonzero(band.any(axis=0))
        while lit_columns.size:
            column = int(lit_columns[0])
            tile = band[:, column : column + TILE_PX]
            yield row, column, np.ascontiguousarray(tile[: np.flatnonzero(tile.any(axis=1))[-1] + 1])
            lit_columns = lit_columns[lit_columns >= column + TILE_PX]
