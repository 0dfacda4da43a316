"""A whole picture, made a few rows at a time: floats never hold more of a photo than one band and
what the blur needs around it.

Byte for byte what `Plan.blurred` makes of the whole photo (see `region.py`). A blur that is no
`Kernel`, WebP and downscale second_order need the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from components.optics.blurs.drawn_blur import Kernel
from components.optics.degradation import Plan
from components.optics.light import at_most_bits, lit
from components.optics.region import Box, part_of

if TYPE_CHECKING:
    from components.core.images import Pixels
    from components.optics.camera import Camera

BAND_PIXELS = 1 << 22  # of the photo; a band and all it is turned into take some 400 MB


def in_bands(plan: Plan, pixels: Pixels, *, band_pixels: int = BAND_PIXELS) -> Pixels:
    """`plan.blurred` of a whole photo: the picture that a net is given, (h, w, 3) uint8 or uint16.

    pixels: the photo as stored, (H, W) for grey or (H, W, 3), uint8 or uint16; with downscale H and
    W are multiples of the scale.
    """
    height, width = (side // plan.scale for side in pixels.shape[:2])
    apart = plan.downscale is None or plan.downscale.reach is not None
    if not (isinstance(plan.effect, Kernel) and apart) or plan.shot.reach_px is None:
        return plan.blurred(lit(pixels, linear=plan.shot.linear_light))
    return _joined(
        height,
        lambda top, rows: part_of(plan, pixels, Box(top, 0, rows, width)),
        band_pixels // (width * plan.scale**2),
    )


def kept(pixels: Pixels, camera: Camera, *, band_pixels: int = BAND_PIXELS) -> Pixels:
    """A photo as its pair stores it, (H, W, 3) of the camera's bits: pixel by pixel where that
    loses nothing, else from its light.
    """
    return _joined(
        len(pixels),
        lambda top, rows: at_most_bits(pixels[top : top + rows], camera.bits, linear=camera.linear_light),
        band_pixels // pixels.shape[1],
    )


def _joined(height: int, part: Callable[[int, int], Pixels], rows: int) -> Pixels:
    """A picture from its bands; `part` makes one from its first row and number of rows."""
    whole: Pixels | None = None
    for top, count in _bands(height, max(rows, 16)):
        band = part(top, count)
        if count == height:
            return band
        if whole is None:
            whole = np.empty((height, *band.shape[1:]), band.dtype)
        whole[top : top + count] = band
    assert whole is not None, "a picture without rows"
    return whole


def _bands(height: int, rows: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each band.

    >>> list(_bands(100, 40))
    [(0, 40), (40, 40), (80, 20)]
    """
    return ((top, min(rows, height - top)) for top in range(0, height, rows))
