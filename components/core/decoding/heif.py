"""HEIC and AVIF (ISO/IEC 23008-12): the boxes walked, then an optional library; without it, its
name is told.

Neither has a checksum, and neither decoder tells what it filled in: of these two, a cut file is
refused and little else.
"""

from __future__ import annotations

import importlib
import io
import struct
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, features

from components.core.decoding.metadata import exif_upright
from components.core.decoding.picture import (
    MAX_ICC_BYTES,
    Metadata,
    Stored,
    damaged,
    truncated,
    unusual,
)
from components.core.levels import Pixels

# Pillow's own guard warns at 89 megapixels and cannot be set per call; `decode` has one of its own,
# before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEIC_LIBRARIES = ("pi_heif", "pillow_heif")  # the first decodes only, and has no part under the GPL


def is_read(form: str) -> bool:
    """Whether the library that reads AVIF, or HEIC, is there."""
    return bool(features.check("avif")) if form == "AVIF" else _heic_library() is not None


def brand(data: bytes) -> str | None:
    """AVIF or HEIC, by the file's first box, or None."""
    if data[4:8] != b"ftyp" or len(data) < 16:
        return None
    (size,) = struct.unpack_from(">I", data)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, min(size, len(data), 256), 4))]
    if any(name in AVIF_BRANDS for name in brands):
        return "AVIF"
    return "HEIC" if any(name in HEIC_BRANDS for name in brands) else None


def stored(data: bytes) -> Stored:
    """Take a HEIC or AVIF apart. Raises PhotoError where a box is not whole, or the library that
    reads it is not there.
    """
    _walk_boxes(data)
    image = _opened(data)
    width, height = image.size
    orientation = 1
    exif = image.info.get("exif") or b""
    if brand(data) == "AVIF":
        # Pillow puts the turn that AVIF itself asks for into its EXIF, and does not turn; libheif turns.
        with suppress(Exception):  # a broken EXIF block hides no pixels
            orientation = int(image.getexif().get(0x0112, 1))
    icc = image.info.get("icc_profile")
    return Stored(
        width,
        height,
        1 if image.mode in ("L", "LA", "La") else 3,
        8,
        orientation if 1 <= orientation <= 8 else 1,
        Metadata(icc if icc and len(icc) <= MAX_ICC_BYTES else None, exif_upright(exif)[1]),
        animated=brand(data) == "AVIF" and getattr(image, "n_frames", 1) > 1,
    )


def pixels(data: bytes) -> Pixels:
    """Decode to (H, W, 3) uint8 RGB, as stored; 10 and 12 bits are rounded to 8. Raises
    PhotoError for what does not decode.
    """
    image = _opened(data)
    try:
        return np.asarray(image.convert("RGB") if image.mode != "RGB" else image)
    except Exception as error:  # decoders of damaged files raise whatever they stumbled on
        damaged(str(error) or type(error).__name__)


def _opened(data: bytes) -> Image.Image:
    form = brand(data)
    if form == "AVIF" and not is_read(form):
        unusual(
            "an AVIF, which this Pillow cannot read; install a Pillow of 11.3 or newer with AVIF, or save"
            " the photo as JPEG"
        )
    library = _heic_library() if form == "HEIC" else None
    if form == "HEIC" and library is None:
        unusual(
            "a HEIC, as phones save photos, and the package that reads it is not installed here: python -m"
            " pip install pi-heif, then the same command again; or save the photo as JPEG"
        )
    try:
        if library is None:
            return Image.open(io.BytesIO(data), formats=("AVIF",))
        return _by_libheif(library, data)
    except Exception as error:  # decoders of damaged files raise whatever they stumbled on
        damaged(str(error) or type(error).__name__)


def _by_libheif(library: Any, data: bytes) -> Image.Image:
    found = library.open_heif(io.BytesIO(data))
    image: Image.Image = found.to_pillow()
    return image


def _heic_library() -> ModuleType | None:
    for name in HEIC_LIBRARIES:
        with suppress(ImportError):
            return importlib.import_module(name)
    return None


def _walk_boxes(data: bytes) -> None:
    """Every box of the file ends inside of it, and the last one with it."""
    position, names = 0, []
    while position < len(data):
        if position + 8 > len(data):
            truncated()
        size, name = struct.unpack_from(">I4s", data, position)
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, position + 8)
        elif size == 0:
            size = len(data) - position
        if size < 8:
            damaged(f"a box of {size} bytes at byte {position}")
        if position + size > len(data):
            truncated()
        names.append(name)
        position += size
    if b"meta" not in names:
        damaged("it has no meta box")
