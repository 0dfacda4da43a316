"""Restored photos as files: what is lossless comes back bit for bit, in our own reader and in others'."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from components.core.decoding import decode
from components.core.encoding import FORMATS, Format, encoded
from components.core.errors import PhotoError
from components.core.images import Metadata


def noise(height: int = 37, width: int = 53, bits: int = 16) -> np.ndarray[Any, Any]:
    kind = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(1).integers(0, 1 << bits, (height, width, 3), kind)


def exif(order: str) -> bytes:
    """A block with a make, a thumbnail's directory, and an EXIF directory with an exposure."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    first, inner, thumbnail = 8, 8 + 2 + 36 + 4, 8 + 2 + 36 + 4 + 2 + 12 + 4
    values = thumbnail + 2 + 12 + 4
    block = head + struct.pack(order + "I", first) + struct.pack(order + "H", 3)
    block += struct.pack(order + "HHII", 0x010F, 2, 7, values)
    block += struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
    block += struct.pack(order + "HHII", 0x8769, 4, 1, inner) + struct.pack(order + "I", thumbnail)
    block += struct.pack(order + "H", 1) + struct.pack(order + "HHII", 0x829A, 5, 1, values + 8) + bytes(4)
    block += struct.pack(order + "H", 1) + struct.pack(order + "HHIHH", 0x0103, 3, 1, 6, 0) + bytes(4)
    return block + b"Camera\0\0" + struct.pack(order + "II", 1, 250)


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["", "<", ">"])
def test_png_and_tiff_lose_nothing(form: Format, bits: int, order: str) -> None:
    pixels = noise(bits=bits)
    data = encoded(form, pixels, metadata=Metadata(exif=exif(order) if order else None, density=(300, 200)))
    picture = decode(data)
    assert picture.pixels.dtype == pixels.dtype
    assert np.array_equal(picture.pixels, pixels)
    assert picture.metadata.density == pytest.approx((300, 200), rel=1e-3)
    if form == "tiff":
        assert np.array_equal(tifffile.imread(io.BytesIO(data)), pixels)


def test_a_large_tiff_has_many_strips() -> None:
    pixels = noise(900, 1300, bits=8)
    data = encoded("tiff", pixels)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages[0].dataoffsets) == 2
    assert np.array_equal(decode(data).pixels, pixels)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_format_keeps_the_camera_and_says_upright(form: Format, order: str) -> None:
    with Image.open(io.BytesIO(encoded(form, noise(), metadata=Metadata(exif=exif(order))))) as made:
        kept = made.getexif()
        assert (kept[0x010F], kept[0x0112]) == ("Camera", 1)
        assert float(kept.get_ifd(0x8769)[0x829A]) == pytest.approx(1 / 250)


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_what_has_eight_bits_is_rounded_and_near(form: Format) -> None:
    smooth = np.linspace(0, 65535, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint16)
    again = decode(encoded(form, smooth)).pixels
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - smooth // 257).max() <= 8


def test_a_side_that_a_format_does_not_hold_is_refused() -> None:
    with pytest.raises(PhotoError, match="16383"):
        encoded("webp", np.zeros((1, 16384, 3), np.uint8))
