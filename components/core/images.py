"""Pictures in and out: decoding whatever a camera wrote, the sRGB curve both ways, PNG and JPEG.

Photos outside nets are (H, W, 3) RGB: uint8 or uint16 as stored, float32 in [0, 1] when computed
with. Colour profiles are
not applied: a pair's two pictures come from the same photo, so that both are off alike.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from components.core.errors import PhotoError
from components.core.files import write_bytes

Pixels = npt.NDArray[Any]  # (H, W, 3) RGB, uint8 or uint16
Bytes8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Bits = Literal[8, 16]

MAX_MEGAPIXELS = 200.0
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
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
ORIENTATION = 0x0112  # TIFF 6.0 and EXIF 2.3 tag

# Pillow's own guard warns at 89 megapixels and cannot be set per call; `decode` has one of its own,
# before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes claim, before anything is decoded."""

    format: str  # JPEG, PNG, WEBP or TIFF
    width: int  # px, after EXIF orientation
    height: int

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, RGB, alpha dropped, grey repeated to three channels."""

    pixels: Pixels
    channels: Literal[1, 3]  # 1: stored as grey
    bits: Bits
    format: str


def header(data: bytes) -> Header:
    """Read size and format without decoding. Raises PhotoError when the bytes are no JPEG, PNG,
    WebP or TIFF.
    """
    with _opened(data) as image:
        return _header_of(image)


def decode(data: bytes, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Turn a file's bytes into an upright RGB picture.

    data: JPEG, PNG, WebP or TIFF; 8 or 16 bits; grey, palette, colour, CMYK, with or without alpha.
    Raises PhotoError, its message "kind: reason", the kind one of: not a photo, truncated, damaged,
    unusual (other bits), too large (it claims more than `max_megapixels`; refused before any pixel
    is decoded).
    """
    with _opened(data) as image:
        head = _header_of(image)
        if head.megapixels > max_megapixels:
            raise PhotoError(
                f"too large: {head.width} × {head.height} px is {head.megapixels:.0f} megapixels, at most"
                f" {max_megapixels:g} are decoded"
            )
        channels: Literal[1, 3] = 1 if image.mode in GREY_MODES else 3
        bits = _bits_of(image, data)
        orientation = _orientation_of(image)
        try:
            image.load()
            pixels = _pixels_8(image) if bits == 8 else _pixels_16(data, channels)
        except PhotoError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they stumbled on
            raise PhotoError(_damage(error)) from error
    return Picture(np.ascontiguousarray(upright(pixels, orientation)), channels, bits, head.format)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn or mirror a picture as its EXIF orientation (1 to 8; others mean upright) asks, so that
    up is up.
    """
    turned = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p.swapaxes(0, 1)[:, ::-1],
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: p.swapaxes(0, 1)[::-1],
    }.get(orientation)
    return pixels if turned is None else turned(pixels)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """An open Pillow image, its warnings silenced: a bad EXIF block is no reason to refuse a photo."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise PhotoError(_unknown(data)) from error
        except Exception as error:  # decoders of damaged files raise whatever they stumbled on
            raise PhotoError(_damage(error)) from error
        with image:
            yield image


def _unknown(data: bytes) -> str:
    if data[:4] in (b"II*\0", b"MM\0*"):
        return (
            "unusual: a TIFF whose pixels are of a kind that is not read, such as floats; save it with 8 or"
            " 16 bits a channel"
        )
    return "not a photo: no JPEG, PNG, WebP or TIFF in it" if data else "not a photo: the file is empty"


def _header_of(image: Image.Image) -> Header:
    width, height = image.size
    if _orientation_of(image) >= 5:
        width, height = height, width
    # MPO is a JPEG with a second view behind it, as phones write them.
    return Header("JPEG" if image.format == "MPO" else str(image.format), width, height)


def _orientation_of(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow and OpenCV both turn a TIFF upright as they load it, and give its upright size
    try:
        orientation = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken EXIF block hides no pixels
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _bits_of(image: Image.Image, data: bytes) -> Bits:
    if image.format == "PNG":
        return (
            16 if data[24] == 16 else 8
        )  # IHDR: 8 signature, 8 chunk head, 4 width, 4 height, then the depth
    if image.format == "TIFF":
        stored = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]  # BitsPerSample
        deepest = max(stored) if isinstance(stored, tuple) else int(stored)
        if deepest > 16 or image.mode in ("F", "I"):
            raise PhotoError(f"unusual: {deepest} bits a channel, 8 and 16 are read")
        return 16 if deepest > 8 else 8
    return 8


def _pixels_8(image: Image.Image) -> Bytes8:
    # Straight to RGB would composite nothing and warn for some palettes; by RGBA a transparent
    # palette keeps its colours.
    plain = image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image
    # Converting what is RGB already would copy it, four bytes a pixel.
    return np.asarray(plain if plain.mode == "RGB" else plain.convert("RGB"))


def _pixels_16(data: bytes, channels: int) -> npt.NDArray[np.uint16]:
    # Pillow cuts 16-bit colour down to 8 bits; it has found the file whole before this.
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise PhotoError("unusual: its 16-bit pixels cannot be read")
    if channels == 1 or found.ndim == 2:
        return np.repeat((found if found.ndim == 2 else found[:, :, 0])[:, :, None], 3, axis=2)
    return np.asarray(found[:, :, 2::-1], dtype=np.uint16)


def _damage(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return (
        "truncated: the file ends before the picture does"
        if "truncated" in said.lower()
        else f"damaged: {said}"
    )


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
    found = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH) if data.size else None
    if found is None:
        raise PhotoError(f"{path} is no picture or is damaged; run the stage that makes it again")
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
