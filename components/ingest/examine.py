"""Look at one file: is it a photo, is it whole, what is it like? Every refusal is a reason in
words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from components.core.decoding import max_bytes
from components.core.errors import PhotoError
from components.core.files import sha256_of_bytes
from components.core.images import MAX_MEGAPIXELS, Header, Picture, decode, header
from components.core.photo_names import EXTENSION_OF, FORMAT_OF
from components.ingest.config import IngestConfig
from components.ingest.near_duplicates import Thumbnail, thumbnail
from components.ingest.source import Found

# Servers send these to a browser that asked for photo.jpg, and it saves them under that name. JPEG
# and PNG stand under each other's name only by somebody's mistake.
SERVED_FOR_OTHERS = ("WEBP", "AVIF")


@dataclass(frozen=True)
class Facts:
    """What decoding a photo told: all that is kept of it in memory."""

    width: int
    height: int
    channels: Literal[1, 3]
    bits: Literal[8, 16]
    format: str
    thumbnail: Thumbnail


def bytes_of(found: Found, config: IngestConfig) -> tuple[bytes, str]:
    """Read a file whole: its bytes and their SHA-256. Raises PhotoError when it cannot be read, or
    is larger than any photo may be.
    """
    most = max_bytes(config.max_megapixels)
    if found.size_bytes > most:
        raise PhotoError(
            f"too large: {found.size_bytes / 1e6:.0f} MB, a photo of {config.max_megapixels:g} megapixels"
            f" takes at most {most / 1e6:.0f} MB"
        )
    data = found.read()
    return data, sha256_of_bytes(data)


def examine(data: bytes, name: str, config: IngestConfig) -> Facts:
    """Decode a file to its last pixel and keep its facts and a thumbnail.

    Raises PhotoError, "kind: reason", when it is no photo, is mislabelled, too large, too small,
    truncated or damaged.
    """
    return facts_of(fit_picture(data, name, config))


def fit_picture(data: bytes, name: str, config: IngestConfig) -> Picture:
    """Decode a file to its last pixel. Raises PhotoError as `examine` does."""
    refuse_unfit(header(data), name, config)
    return decode(data, max_megapixels=max(config.max_megapixels, MAX_MEGAPIXELS))


def facts_of(picture: Picture) -> Facts:
    """What is kept in memory of a decoded picture."""
    height, width = picture.pixels.shape[:2]
    return Facts(width, height, picture.channels, picture.bits, picture.format, thumbnail(picture.pixels))


def refuse_unfit(head: Header, name: str, config: IngestConfig) -> None:
    """Raise PhotoError for a wrong extension or size, which the first bytes tell."""
    extension = "." + name.lower().rpartition(".")[2]
    claimed = FORMAT_OF[extension]
    if claimed != head.format and head.format not in SERVED_FOR_OTHERS:
        raise PhotoError(
            f"mislabelled: the name says {claimed} ({extension}), the content is {head.format}; rename it to"
            f" .{EXTENSION_OF[head.format]}"
        )
    if head.megapixels > config.max_megapixels:
        raise PhotoError(
            f"too large: {head.width} × {head.height} px is {head.megapixels:.0f} megapixels,"
            f" ingest.max_megapixels is {config.max_megapixels:g}"
        )
    if min(head.width, head.height) < config.min_px:
        raise PhotoError(
            f"too small: {head.width} × {head.height} px, the shorter side must have ingest.min_px ="
            f" {config.min_px}"
        )
