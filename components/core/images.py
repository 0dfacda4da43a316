"""Pictures in and out: the sRGB curve both ways, PNG and JPEG. What a camera wrote is read by
`components.core.decoding`.

Photos outside nets are (H, W, 3) RGB: uint8 or uint16 as stored, float32 in [0, 1] when computed
with.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from components.core.decoding import MAX_MEGAPIXELS, Header, Metadata, Picture, decode, header, upright
from components.core.decoding.metadata import ORIENTATION
from components.core.errors import PhotoError
from components.core.files import write_bytes
from components.core.levels import Bits, Bytes8, Floats, Pixels, to_float, to_uint8

__all__ = [
    "MAX_MEGAPIXELS",
    "ORIENTATION",
    "Bits",
    "Bytes8",
    "Floats",
    "Header",
    "Metadata",
    "Picture",
    "Pixels",
    "decode",
    "header",
    "jpeg_roundtrip",
    "linear_of",
    "linear_to_srgb",
    "png_bytes",
    "read_rgb",
    "rgb_of",
    "srgb_to_linear",
    "to_float",
    "to_uint8",
    "upright",
    "webp_roundtrip",
    "write_png",
]

# Against level 2 with a filter chosen for each row: written in 0.6 of the time, read in 0.75, for 4
# % more bytes on photos.
PNG = [
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_AVG,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
]
# effort, of 0 to 6: the usual 4, which is all that OpenCV has, takes twice as long and loses 0.1 dB
# less
WEBP_METHOD = 2


def srgb_to_linear(picture: Floats) -> Floats:
    """Display values to light: the sRGB curve undone, exact and piecewise (IEC 61966-2-1), any
    shape, [0, 1] to [0, 1].
    """
    toe = picture <= 0.04045
    curve = np.power((np.maximum(picture, 0.0) + 0.055) / 1.055, 2.4)
    return np.where(toe, picture / 12.92, curve).astype(np.float32, copy=False)


def linear_to_srgb(light: Floats) -> Floats:
    """Light to display values: the sRGB curve, exact and piecewise (IEC 61966-2-1), any shape, [0,
    1] to [0, 1].
    """
    toe = light <= 0.0031308
    curve = 1.055 * np.power(np.maximum(light, 0.0), 1 / 2.4) - 0.055
    return np.where(toe, light * 12.92, curve).astype(np.float32, copy=False)


def linear_of(pixels: Pixels) -> Floats:
    """Stored values (uint8 or uint16, any shape) to linear light in [0, 1], by table."""
    table = _light_table(np.iinfo(pixels.dtype).max)
    if pixels.dtype != np.uint8 or not pixels.size:
        return table[pixels]
    # OpenCV looks up bytes several times as fast as numpy.
    return np.asarray(cv2.LUT(pixels.reshape(1, -1), table), dtype=np.float32).reshape(pixels.shape)


@cache
def _light_table(highest: int) -> Floats:
    levels = np.arange(highest + 1, dtype=np.float64) / highest
    table = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    table.setflags(write=False)
    return table


def read_rgb(path: Path) -> Pixels:
    """Read a picture this pipeline wrote (PNG) as (H, W, 3) uint8, or uint16 where it has 16 bits,
    fast. Photos from outside go through `decode`.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PhotoError(
            f"{path} cannot be read: {error.strerror}; run the stage that makes it again"
        ) from error
    return rgb_of(data, str(path))


def rgb_of(data: bytes | Bytes8, called: str) -> Pixels:
    """As `read_rgb`, of a picture's bytes; called: what it is, for the words of a refusal."""
    values = np.frombuffer(data, np.uint8)
    found = cv2.imdecode(values, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH) if values.size else None
    if found is None:
        raise PhotoError(f"{called} is no picture or is damaged; run the stage that makes it again")
    return np.asarray(found)


def png_bytes(pixels: Pixels) -> bytes:
    """Encode (H, W, 3) uint8 or uint16 RGB as PNG, without loss; the same pixels give the same
    bytes.
    """
    return _encoded(".png", pixels, PNG)


def write_png(path: Path, pixels: Pixels) -> None:
    """Write (H, W, 3) uint8 or uint16 RGB as a PNG file, in one step."""
    write_bytes(path, png_bytes(pixels))


def jpeg_roundtrip(pixels: Bytes8, quality: int) -> Bytes8:
    """What (H, W, 3) uint8 RGB looks like after JPEG (4:2:0, `quality` 1 to 100) and back."""
    return _decoded(_encoded(".jpg", _bytes8(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality]))


def webp_roundtrip(pixels: Bytes8, quality: int) -> Bytes8:
    """What (H, W, 3) uint8 RGB looks like after lossy WebP (`quality` 1 to 100) and back."""
    data = io.BytesIO()
    Image.fromarray(_bytes8(pixels)).save(data, "WEBP", quality=quality, method=WEBP_METHOD)
    return _decoded(data.getvalue())


def _bytes8(pixels: Bytes8) -> Bytes8:
    assert pixels.dtype == np.uint8, f"JPEG and WebP hold 8 bits, got {pixels.dtype}"
    return np.ascontiguousarray(pixels)


def _decoded(data: bytes) -> Bytes8:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def _encoded(ending: str, pixels: Pixels, settings: list[int]) -> bytes:
    assert pixels.dtype in (np.uint8, np.uint16), f"uint8 or uint16 is encoded, got {pixels.dtype}"
    assert pixels.shape[2:] == (3,), f"(H, W, 3) is encoded, got {pixels.shape}"
    done, data = cv2.imencode(ending, cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), settings)
    assert done, f"OpenCV could not encode {ending}"
    return bytes(data)
