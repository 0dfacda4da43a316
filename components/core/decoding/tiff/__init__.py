"""TIFF (6.0, BigTIFF): strips and tiles, channels together or in planes, 1 to 16 bits; grey,
palette, RGB and CMYK.

The structure is read here, so that each strip and tile is held against what the page claims: a
library that fills what is missing, or leaves memory as it was, gives no sign. Unpacking is
imagecodecs', whose Deflate holds against its checksum.
"""

from __future__ import annotations

import numpy as np

from components.core.decoding.picture import MAX_ICC_BYTES, Metadata, Stored, three_channels
from components.core.decoding.tiff import layout as kinds
from components.core.decoding.tiff.about import exif_block
from components.core.decoding.tiff.directory import STARTS, Directory, Tag, photo_page
from components.core.decoding.tiff.layout import Layout, layout_of
from components.core.decoding.tiff.pieces import samples_of
from components.core.levels import Pixels

__all__ = ["STARTS", "pixels", "stored"]

_INCH = 2
_PER_INCH = {_INCH: 1.0, 3: 2.54}  # ResolutionUnit: inch, centimetre


def stored(data: bytes) -> Stored:
    """Take a TIFF apart. Raises PhotoError where its directories or strips contradict each other,
    or are of a kind not read here.
    """
    page = photo_page(data)
    layout = layout_of(page, len(data))
    orientation = page.number(Tag.ORIENTATION, 1)
    return Stored(
        layout.width,
        layout.height,
        1 if layout.photometric in (kinds.WHITE_IS_ZERO, kinds.BLACK_IS_ZERO) else 3,
        16 if layout.bits == 16 else 8,
        orientation if 1 <= orientation <= 8 else 1,
        _metadata(data, page),
    )


def pixels(data: bytes) -> Pixels:
    """Decode to (H, W, 3) uint8 or uint16 RGB, as stored. Raises PhotoError where a strip or tile
    is not whole.
    """
    page = photo_page(data)
    layout = layout_of(page, len(data))
    tables = page.entries.get(Tag.JPEG_TABLES)
    return _rgb(samples_of(data, layout, page.order, tables.data if tables else b""), layout, page)


def _rgb(samples: Pixels, layout: Layout, page: Directory) -> Pixels:
    highest = np.iinfo(samples.dtype).max
    if layout.photometric == kinds.PALETTE:
        # 16 bits a colour, of which 8 count, as everywhere; some writers put in those 8 alone.
        colours = np.array(page.numbers(Tag.COLOUR_MAP), np.uint16).reshape(3, -1).T
        return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)[samples[:, :, 0]]
    if layout.photometric == kinds.CMYK:
        return _from_inks(samples)
    if layout.bits < 8:
        samples = samples * np.uint8(255 // (2**layout.bits - 1))
    if layout.photometric == kinds.WHITE_IS_ZERO:
        samples = np.concatenate([highest - samples[:, :, :1], samples[:, :, 1:]], axis=2)
    if layout.premultiplied:
        samples = _divided(samples, kinds.CHANNELS[layout.photometric], highest)
    return three_channels(samples)


def _from_inks(samples: Pixels) -> Pixels:
    """Cyan, magenta, yellow and black to RGB without a profile: what an ink leaves of white."""
    highest = np.iinfo(samples.dtype).max
    paper = (highest - samples[:, :, 3:4]).astype(np.uint32)
    left = (highest - samples[:, :, :3]).astype(np.uint32)
    left *= paper
    left += highest // 2
    return (left // highest).astype(samples.dtype)


def _divided(samples: Pixels, channels: int, highest: int) -> Pixels:
    """Colour that was multiplied by alpha, as it was before; black where alpha is zero."""
    alpha = samples[:, :, channels : channels + 1].astype(np.uint32)
    plain = samples[:, :, :channels].astype(np.uint32) * np.uint32(highest) // np.maximum(alpha, 1)
    return np.where(alpha == 0, 0, np.minimum(plain, highest)).astype(samples.dtype)


def _metadata(data: bytes, page: Directory) -> Metadata:
    icc = page.entries.get(Tag.ICC)
    across, down = page.ratio(Tag.DENSITY_ACROSS), page.ratio(Tag.DENSITY_DOWN)
    unit = _PER_INCH.get(page.number(Tag.DENSITY_UNIT, _INCH))
    density = (across * unit, down * unit) if across and down and unit else None
    return Metadata(
        icc.data if icc and len(icc.data) <= MAX_ICC_BYTES else None, exif_block(data, page), density
    )
