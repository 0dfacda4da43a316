"""Stored pixels to light and back, in the photo's own number of channels, fast enough for every
pair.
"""

from __future__ import annotations

from functools import cache
from typing import overload

import numpy as np
import numpy.typing as npt

from components.core.images import (
    Bits,
    Bytes8,
    Floats,
    Picture,
    Pixels,
    linear_of,
    linear_to_srgb,
    to_float,
    to_uint8,
)
from components.core.levels import at_bits, to_pixels, to_uint16
from components.optics.shrink import area_shrunk

LEVELS_16 = 65535
ROWS = 64  # at a time, so that what lies between stays in the processor's cache


def light_of(picture: Picture, *, linear: bool, max_side_px: int | None = None) -> Floats:
    """A decoded photo as values to blur: (H, W) for grey, (H, W, 3) for colour, float32 in [0, 1].

    linear: linear light; false gives sRGB values as stored, which blurs as most older code does.
    max_side_px: a larger photo is shrunk to it first.
    """
    return lit(shrunk(picture, max_side_px), linear=linear)


def lit(pixels: Pixels, *, linear: bool) -> Floats:
    """Stored values, uint8 or uint16, of a photo or any part of one, as values to blur."""
    return linear_of(pixels) if linear else to_float(pixels)


def shrunk(picture: Picture, max_side_px: int | None) -> Pixels:
    """The pixels of a photo that is no larger than `max_side_px` a side: (H, W) for grey, (H, W, 3)
    for colour, as stored where it is not.

    A larger one is shrunk by averaging areas in linear light, and comes as sRGB of 16 bits: a file
    can hold it as it is.
    """
    pixels = picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels
    size = shrunk_size(pixels.shape[1], pixels.shape[0], max_side_px)
    if size == (pixels.shape[1], pixels.shape[0]):
        return np.ascontiguousarray(pixels)
    small = np.empty((size[1], size[0], *pixels.shape[2:]), np.uint16)
    for top, light in area_shrunk(pixels, *size):
        small[top : top + len(light)] = to_uint16(linear_to_srgb(light))
    return small


def shrunk_size(width: int, height: int, max_side_px: int | None) -> tuple[int, int]:
    """Width and height once the longer side is at most `max_side_px`, in whole pixels.

    >>> shrunk_size(4000, 3000, 1000), shrunk_size(640, 480, 1000)
    ((1000, 750), (640, 480))
    """
    if max_side_px is None or max(width, height) <= max_side_px:
        return width, height
    scale = max_side_px / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def at_most_bits(pixels: Pixels, bits: Bits, *, linear: bool) -> Pixels:
    """Stored values, of a photo or any rows of it, as (H, W, 3) of those bits: as they are where
    that loses nothing, else by way of their light.
    """
    if pixels.dtype == np.uint16 and bits == 8:
        return stored(lit(pixels, linear=linear), linear=linear)
    return coloured(at_bits(pixels, bits))


def coloured(pixels: Pixels) -> Pixels:
    """(H, W) or (H, W, 3) to (H, W, 3): grey three times over."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


@overload
def stored(light: Floats, *, linear: bool) -> Bytes8: ...
@overload
def stored(light: Floats, *, linear: bool, bits: Bits) -> Pixels: ...
def stored(light: Floats, *, linear: bool, bits: Bits = 8) -> Pixels:
    """Values to (H, W, 3) sRGB, uint8 or uint16; what lies outside [0, 1] is clipped, grey is
    repeated.

    Linear light in 8 bits goes through a table of 65536 steps: within 0.53 of a level of the exact
    curve, and every stored level comes back as itself.
    """
    if linear and bits == 8:
        levels: Pixels = np.empty(light.shape, np.uint8)
        for top in range(0, len(light), ROWS):
            steps = np.clip(light[top : top + ROWS], 0.0, 1.0)
            steps *= LEVELS_16
            steps += 0.5
            np.take(srgb_table(), steps.astype(np.uint16), out=levels[top : top + ROWS], mode="clip")
    else:
        levels = to_pixels(linear_to_srgb(np.clip(light, 0.0, 1.0)) if linear else light, bits)
    return coloured(levels)


@cache
def srgb_table() -> npt.NDArray[np.uint8]:
    table = to_uint8(linear_to_srgb((np.arange(LEVELS_16 + 1) / LEVELS_16).astype(np.float32)))
    table.setflags(write=False)
    return table
