"""Encoding: a restored photo as a file that still says what its original's file said beside the
pixels: colour profile, EXIF, density. One module a format.

png.py    8 and 16 bits, without loss       tiff.py   the same
lossy.py  JPEG and WebP, 8 bits             exif.py   what is kept, made true of the restored photo
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from components.core.encoding import png, tiff
from components.core.encoding.exif import fits
from components.core.encoding.lossy import encoded_jpeg, encoded_webp
from components.core.images import Metadata, Pixels

__all__ = ["ENDINGS", "FORMATS", "MEDIA_TYPES", "Format", "encoded", "fits"]

Format = Literal["png", "jpeg", "tiff", "webp"]
FORMATS: tuple[Format, ...] = ("png", "jpeg", "tiff", "webp")
ENDINGS: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}
MEDIA_TYPES: dict[Format, str] = {form: f"image/{form}" for form in FORMATS}
_ENCODERS: dict[Format, Callable[[Pixels, bytes, Metadata, int], bytes]] = {
    "png": png.encoded,
    "jpeg": encoded_jpeg,
    "tiff": tiff.encoded,
    "webp": encoded_webp,
}


def encoded(
    form: Format, pixels: Pixels, *, original: bytes = b"", metadata: Metadata | None = None, scale: int = 1
) -> bytes:
    """(H, W, 3) uint8 or uint16 as a file. PNG and TIFF keep 16 bits and lose nothing; JPEG and WebP
    have 8 bits and quality 95.

    original, metadata: the file the pixels were restored from, and what it says beside them;
    scale: how many times larger they are, so that a print keeps its size.
    Raises PhotoError where the format does not hold so large a picture.
    """
    return _ENCODERS[form](pixels, original, metadata or Metadata(), scale)
