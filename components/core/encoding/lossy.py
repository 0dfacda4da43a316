"""A restored photo as JPEG or WebP: 8 bits, with its profile, EXIF and density; a photo of 16 bits is
rounded.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from components.core.encoding.exif import exif_of_restored, fits
from components.core.errors import PhotoError
from components.core.images import Metadata, Pixels
from components.core.levels import at_bits

JPEG_QUALITY = 95  # at 4:4:4: what was restored is not blurred again in its colours
WEBP_QUALITY = 95
MOST_EXIF_BYTES = 65_527  # what a JPEG segment holds beside its own name and length
LONGEST_SIDE_PX = {"JPEG": 65_535, "WEBP": 16_383}


def encoded_jpeg(pixels: Pixels, original: bytes, metadata: Metadata, scale: int) -> bytes:
    """(H, W, 3) uint8 or uint16 as a JPEG of quality 95. Raises PhotoError beyond 65535 px a side."""
    settings = _beside(pixels, metadata)
    if len(settings.get("exif", b"")) > MOST_EXIF_BYTES:
        settings.pop("exif")
    if metadata.density is not None:
        across, down = (round(scale * dots) for dots in metadata.density)
        if 0 < across < 1 << 16 and 0 < down < 1 << 16:
            settings["dpi"] = (across, down)
    return _saved(pixels, "JPEG", quality=JPEG_QUALITY, subsampling=0, **settings)


def encoded_webp(pixels: Pixels, original: bytes, metadata: Metadata, scale: int) -> bytes:
    """(H, W, 3) uint8 or uint16 as a WebP of quality 95. Raises PhotoError beyond 16383 px a side."""
    return _saved(pixels, "WEBP", quality=WEBP_QUALITY, method=2, **_beside(pixels, metadata))


def _beside(pixels: Pixels, metadata: Metadata) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if fits(metadata.icc):
        found["icc_profile"] = metadata.icc
    if metadata.exif is not None:
        exif = exif_of_restored(metadata.exif, width=pixels.shape[1], height=pixels.shape[0])
        if exif is not None:
            found["exif"] = b"Exif\0\0" + exif
    return found


def _saved(pixels: Pixels, form: str, **settings: Any) -> bytes:
    longest, most = max(pixels.shape[:2]), LONGEST_SIDE_PX[form]
    if longest > most:
        raise PhotoError(
            f"too large: the restored photo has {longest} px on a side, {form} holds at most {most}; ask for"
            " PNG or TIFF"
        )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(at_bits(pixels, 8))).save(stream, form, **settings)
    return stream.getvalue()
