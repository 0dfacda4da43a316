"""Decoding: from a file's bytes to the photo, and nothing else. What a checksum or a decoder's
warning tells is never passed over.

One module a format. Each takes the file apart first (`stored`: sizes, orientation, profile), so
that what is cut, contradicts itself or would cost hours is refused before a pixel is made; then a
library decodes (`pixels`), its warnings read as errors. Colour profiles are not applied: a pair's
two pictures come from the same photo, so that both are off alike.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from components.core.decoding import heif, jpeg, png, tiff, webp
from components.core.decoding.colours import profile_for_rgb, profile_of_exif
from components.core.decoding.others import what_else
from components.core.decoding.picture import (
    MAX_MEGAPIXELS,
    Header,
    Metadata,
    Picture,
    Stored,
    max_bytes,
    upright,
)
from components.core.errors import PhotoError
from components.core.levels import Pixels

__all__ = [
    "FORMATS",
    "MAX_MEGAPIXELS",
    "Header",
    "Metadata",
    "Picture",
    "decode",
    "formats_read",
    "header",
    "is_photo",
    "is_read",
    "max_bytes",
    "metadata_of",
    "photo_bytes",
    "upright",
]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIC")


class _Reader(Protocol):
    """What each format's module offers."""

    def stored(self, data: bytes) -> Stored: ...

    def pixels(self, data: bytes) -> Pixels: ...


def photo_bytes(path: Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> bytes:
    """A file's bytes. Raises PhotoError where they cannot be read, or are more than a photo's."""
    try:
        _refuse_more_bytes(path.stat().st_size, max_megapixels)
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"unreadable: {error.strerror or error}") from error


def formats_read() -> tuple[str, ...]:
    """Those of FORMATS whose libraries are there."""
    return tuple(form for form in FORMATS if is_read(form))


def is_read(form: str) -> bool:
    """Whether the library that a format needs is there."""
    return form not in ("AVIF", "HEIC") or heif.is_read(form)


def header(data: bytes) -> Header:
    """Read size and format without decoding. Raises PhotoError when the bytes are no photo, or
    not whole as far as that shows here.
    """
    form, reader = _reader_of(data)
    return _header_of(form, reader.stored(data))


def metadata_of(data: bytes) -> Metadata:
    """What a file says beside its pixels, as `decode` gives it, without decoding. Raises PhotoError."""
    return _with_colours(_reader_of(data)[1].stored(data).metadata)


def is_photo(start: bytes) -> bool:
    """Whether a file's first 64 bytes are those of a photo of a kind that is read."""
    try:
        _reader_of(start)
    except PhotoError:
        return False
    return True


def decode(data: bytes, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Turn a file's bytes into an upright RGB picture.

    data: JPEG, PNG, WebP or TIFF, AVIF and HEIC where their library is; 8 or 16 bits; grey,
    palette, colour, CMYK, with or without alpha.
    Raises PhotoError, its message "kind: reason", the kind one of: not a photo, truncated,
    damaged, unusual (whole, but of a kind that is not read), too large (it has more bytes than
    `max_megapixels` may have, or claims more pixels; refused before any pixel is decoded).
    """
    _refuse_more_bytes(len(data), max_megapixels)
    form, reader = _reader_of(data)
    stored = reader.stored(data)
    head = _header_of(form, stored)
    if head.megapixels > max_megapixels:
        raise PhotoError(
            f"too large: {head.width} × {head.height} px is {head.megapixels:.0f} megapixels, at most"
            f" {max_megapixels:g} are decoded"
        )
    pixels = reader.pixels(data)
    if pixels.shape != (stored.height, stored.width, 3):
        raise PhotoError(
            f"damaged: it claims {stored.width} × {stored.height} px and holds {pixels.shape[1]} ×"
            f" {pixels.shape[0]}"
        )
    return Picture(
        np.ascontiguousarray(upright(pixels, stored.orientation)),
        stored.channels,
        stored.bits,
        form,
        _with_colours(stored.metadata),
        stored.animated,
    )


def _with_colours(said: Metadata) -> Metadata:
    """What a file says, its colours as a profile for the RGB that is given back."""
    icc = profile_of_exif(said.exif) if said.icc is None else profile_for_rgb(said.icc)
    return said if icc == said.icc else replace(said, icc=icc)


def _refuse_more_bytes(size: int, max_megapixels: float) -> None:
    most = max_bytes(max_megapixels)
    if size > most:
        raise PhotoError(
            f"too large: {size / 1e6:.0f} MB, a photo of {max_megapixels:g} megapixels takes at most"
            f" {most / 1e6:.0f} MB"
        )


def _header_of(form: str, stored: Stored) -> Header:
    width, height = (
        (stored.height, stored.width) if stored.orientation >= 5 else (stored.width, stored.height)
    )
    return Header(form, width, height)


def _reader_of(data: bytes) -> tuple[str, _Reader]:
    """The format that a file's first bytes tell, whatever its name says. Raises PhotoError where
    it is none of them.
    """
    if data.startswith(jpeg.START):
        return "JPEG", jpeg
    if data.startswith(png.START):
        return "PNG", png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP", webp
    if data[:4] in tiff.STARTS:
        return "TIFF", tiff
    form = heif.brand(data)
    if form is not None:
        return form, heif
    raise PhotoError(f"not a photo: {what_else(data)}")
