"""Pictures in 8 or 16 bits a channel: as floats, rounded to either, and one as the other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]  # (H, W, 3) RGB, uint8 or uint16
Bytes8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Bits = Literal[8, 16]


def to_float(pixels: Pixels) -> Floats:
    """Stored values (uint8 or uint16) as float32 in [0, 1], still sRGB; float input comes back as
    float32.
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) * np.float32(1 / 255)
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) * np.float32(1 / 65535)
    return pixels.astype(np.float32, copy=False)


def to_uint8(picture: npt.NDArray[np.floating[Any]]) -> Bytes8:
    """Floats in [0, 1] rounded to the nearest of 256 levels; what lies outside is clipped.

    >>> to_uint8(np.array([-1.0, 0.5, 2.0])).tolist()
    [0, 128, 255]
    """
    rounded: Bytes8 = np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
    return rounded


def to_uint16(picture: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint16]:
    """Floats in [0, 1] rounded to the nearest of 65536 levels; what lies outside is clipped.

    >>> to_uint16(np.array([-1.0, 1 / 65535, 2.0])).tolist()
    [0, 1, 65535]
    """
    rounded: npt.NDArray[np.uint16] = np.rint(np.clip(picture, 0.0, 1.0) * 65535.0).astype(np.uint16)
    return rounded


def to_pixels(picture: npt.NDArray[np.floating[Any]], bits: Bits) -> Pixels:
    """Floats in [0, 1] rounded to the levels of 8 or 16 bits; what lies outside is clipped."""
    return to_uint8(picture) if bits == 8 else to_uint16(picture)


def bits_of(pixels: Pixels) -> Bits:
    """8 for uint8, 16 for uint16."""
    return 16 if pixels.dtype == np.uint16 else 8


def at_bits(pixels: Pixels, bits: Bits) -> Pixels:
    """Stored values (uint8 or uint16) in 8 or 16 bits; 255 is 65535, so that 8 bits in 16 are the
    same picture exactly.

    >>> coarse, fine = np.array([0, 1, 255], np.uint8), np.array([128, 129, 65535], np.uint16)
    >>> at_bits(coarse, 16).tolist(), at_bits(fine, 8).tolist()
    ([0, 257, 65535], [0, 1, 255])
    """
    if bits_of(pixels) == bits:
        return pixels
    return (
        pixels.astype(np.uint16) * np.uint16(257)
        if bits == 16
        else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    )
