"""What decoding gives: a header, a picture and what its file says beside the pixels; and the
limits every format keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NoReturn

import numpy as np

from components.core.errors import PhotoError
from components.core.levels import Bits, Pixels

Channels = Literal[1, 3]

MAX_MEGAPIXELS = 200.0
BYTES_PER_PIXEL = 8  # four channels of 16 bits, stored as they are
ROOM_BYTES = 16_000_000  # metadata, previews
MAX_ICC_BYTES = 4_000_000  # the largest printer profiles in use have about 3 MB


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes claim, before anything is decoded."""

    format: str  # JPEG, PNG, WEBP, TIFF, AVIF or HEIC
    width: int  # px, after EXIF orientation
    height: int

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6


@dataclass(frozen=True)
class Metadata:
    """What a writer needs to keep a photo's colours and origin; each part is None where the file
    has none.
    """

    icc: bytes | None = None  # colour profile, ICC.1
    exif: bytes | None = (
        None  # a TIFF block as EXIF 2.3 has it, without "Exif\0\0"; its orientation says upright
    )
    density: tuple[float, float] | None = None  # dots per inch, across and down


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, RGB, alpha dropped, grey repeated to three channels."""

    pixels: Pixels
    channels: Channels  # 1: stored as grey
    bits: Bits
    format: str
    metadata: Metadata = field(default=Metadata(), compare=False)
    animated: bool = field(default=False, compare=False)  # its file holds more pictures, shown in turn


@dataclass(frozen=True)
class Stored:
    """A file taken apart, not yet decoded: what is known of it from its structure."""

    width: int  # px, as stored
    height: int
    channels: Channels
    bits: Bits  # of the pixels given back
    orientation: int = 1  # EXIF 2.3: 1 to 8
    metadata: Metadata = field(default=Metadata())
    animated: bool = False


def max_bytes(megapixels: float) -> float:
    """The largest file that a photo of so many megapixels may be."""
    return megapixels * 1e6 * BYTES_PER_PIXEL + ROOM_BYTES


def damaged(what: str) -> NoReturn:
    """Refuse a file whose bytes contradict each other or their checksum."""
    raise PhotoError(f"damaged: {what}")


def truncated(what: str = "the file ends before the picture does") -> NoReturn:
    """Refuse a file that lacks its end."""
    raise PhotoError(f"truncated: {what}")


def unusual(what: str) -> NoReturn:
    """Refuse a whole file of a kind that is not read here."""
    raise PhotoError(f"unusual: {what}")


def three_channels(samples: Pixels) -> Pixels:
    """Grey (H, W), (H, W, 1) or (H, W, 2) repeated to (H, W, 3); of colour the first three
    channels. Alpha is dropped, not blended.
    """
    if samples.ndim == 2:
        samples = samples[:, :, None]
    return np.repeat(samples[:, :, :1], 3, axis=2) if samples.shape[2] < 3 else samples[:, :, :3]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn or mirror a picture as its EXIF orientation (1 to 8; others mean upright) asks, so
    that up is up.
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
