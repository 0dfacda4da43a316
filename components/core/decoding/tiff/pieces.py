"""A TIFF's strips and tiles: unpacked to exactly the bytes they must have, and put in their
place.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator

import imagecodecs
import numpy as np

from components.core.decoding import jpeg
from components.core.decoding.picture import damaged, truncated, unusual
from components.core.decoding.tiff import layout as kinds
from components.core.decoding.tiff.layout import Layout
from components.core.levels import Pixels

# Some writers count what fills a strip up to a whole word; less than another width would need.
_PAD_BYTES = 3
_ERRORS = (RuntimeError, ValueError, lzma.LZMAError)  # the first is what all of the errors of imagecodecs are


def samples_of(data: bytes, layout: Layout, order: str, tables: bytes = b"") -> Pixels:
    """All samples as stored, (H, W, samples): uint8 (also of 1, 2 and 4 bits, unscaled) or
    uint16.

    order: the file's, "<" or ">"; tables: what the JPEG pieces share. Raises PhotoError where a
    piece does not unpack to its size.
    """
    dtype = np.uint16 if layout.bits == 16 else np.uint8
    found = np.empty((layout.height, layout.width, layout.samples), dtype)
    for number, plane, rows, columns in _places(layout):
        start, size = int(layout.offsets[number]), int(layout.sizes[number])
        packed = data[start : start + size]
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if layout.compression == kinds.JPEG:
            piece = _jpeg(packed, layout, tables, height)
        else:
            piece = _unpacked(packed, layout, order, height)
        # A tile reaches beyond the border, and the last strip of some writers does.
        if piece.shape[0] < height or piece.shape[1] < width:
            damaged("a strip or tile has fewer pixels than its place")
        found[rows, columns, plane] = piece[:height, :width]
    if layout.compression == kinds.NONE and any(
        _torn(found[:, :, sample]) for sample in range(layout.samples)
    ):
        damaged("its pixels stop within a row and are zero from there on")
    return found


def _torn(plane: Pixels) -> bool:
    """Whether a plane's values stop within a row, the row above it being full, and are zero from
    there to the end.

    What a transfer leaves that had its room set aside and broke off. A black border begins with a
    row, or takes rows at once from the right; the limits (a twentieth of the rows, a fiftieth of
    the columns) leave dark edges and turned photos alone.
    """
    if plane[-1].any():
        return False
    rows = np.flatnonzero(plane.any(axis=1))
    height, width = plane.shape
    if rows.size < 2 or height - 1 - rows[-1] < max(8, height // 20):
        return False
    end, above = (
        int(np.flatnonzero(row)[-1]) + 1 if row.any() else 0 for row in (plane[rows[-1]], plane[rows[-1] - 1])
    )
    return bool(width - end >= 16 and width - above <= width // 50)


def _places(layout: Layout) -> Iterator[tuple[int, slice, slice, slice]]:
    """Each piece's number, the samples it holds, its rows and its columns."""
    number = 0
    for plane in range(layout.planes):
        samples = slice(plane, plane + 1) if layout.separate else slice(0, layout.samples)
        for top in range(0, layout.height, layout.piece_height):
            for left in range(0, layout.width, layout.piece_width):
                bottom, right = (
                    min(top + layout.piece_height, layout.height),
                    min(left + layout.piece_width, layout.width),
                )
                yield number, samples, slice(top, bottom), slice(left, right)
                number += 1


def _unpacked(packed: bytes, layout: Layout, order: str, rows: int) -> Pixels:
    """One piece as (rows, piece width, samples)."""
    whole = layout.row_bytes() * layout.piece_height
    needed = whole if layout.tiled else layout.row_bytes() * rows
    raw = _raw(packed, layout.compression, whole)
    if layout.compression == kinds.NONE and rows > _PAD_BYTES and 0 < len(raw) - needed <= _PAD_BYTES:
        raw = raw[:needed]
    if len(raw) not in (needed, whole):
        said = f"a strip or tile unpacks to {len(raw)} bytes, {needed} make its pixels"
        truncated(said) if len(raw) < needed else damaged(said)
    rows = len(raw) // layout.row_bytes()
    if layout.bits < 8:
        return _small(np.frombuffer(raw, np.uint8).reshape(rows, -1), layout)
    values = np.frombuffer(raw, np.uint8 if layout.bits == 8 else np.dtype(order + "u2"))
    values = values.reshape(rows, layout.piece_width, layout.samples_a_plane)
    if layout.predictor == 2:
        return np.cumsum(values, axis=1, dtype=values.dtype.newbyteorder("="))
    return values


def _raw(packed: bytes, compression: int, most: int) -> bytes:
    """The bytes behind a packed piece, one more than `most` where it holds more. Raises
    PhotoError where its own checks fail.
    """
    try:
        if compression == kinds.NONE:
            return packed
        if compression == kinds.LZW:
            return bytes(imagecodecs.lzw_decode(packed, out=most + 1))
        if compression == kinds.PACKBITS:
            return bytes(imagecodecs.packbits_decode(packed, out=most + 1))
        if compression == kinds.ZSTD:
            return bytes(imagecodecs.zstd_decode(packed, out=most + 1))
        if compression == kinds.LZMA:
            return lzma.LZMADecompressor().decompress(packed, most + 1)
        return bytes(imagecodecs.deflate_decode(packed, out=most + 1))
    except _ERRORS as error:
        damaged(f"a strip or tile does not unpack ({kinds.READ[compression]}): {error}")


def _small(rows: Pixels, layout: Layout) -> Pixels:
    """Samples of 1, 2 or 4 bits, the first in the highest bits."""
    bits = np.unpackbits(rows, axis=1).reshape(rows.shape[0], -1, layout.bits)
    weights = (1 << np.arange(layout.bits - 1, -1, -1)).astype(np.uint8)
    found: Pixels = (bits * weights).sum(axis=2, dtype=np.uint8)[:, : layout.piece_width, None]
    return found


def _jpeg(packed: bytes, layout: Layout, tables: bytes, rows: int) -> Pixels:
    """One piece that is a JPEG; the page, not the JPEG, says which colours it has."""
    if packed[:2] != jpeg.START:
        damaged("a strip or tile is no JPEG")
    shared = tables[2:-2] if tables[:2] == jpeg.START and tables[-2:] == b"\xff\xd9" else b""
    transform = 1 if layout.photometric == kinds.YCBCR else 0
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    stream = jpeg.START + adobe + shared + packed[2:]
    walk = jpeg.walked(stream)
    if walk.components != layout.samples_a_plane:
        damaged(f"a strip or tile has {walk.components} channels, not {layout.samples_a_plane}")
    heights = (layout.piece_height,) if layout.tiled else (rows, layout.piece_height)
    if walk.width != layout.piece_width or walk.height not in heights:
        damaged(f"a strip or tile has {walk.width} × {walk.height} px, not {layout.piece_width} × {rows}")
    if walk.jfif and layout.photometric == kinds.RGB and not layout.separate:
        unusual(
            "a TIFF whose JPEG pixels are YCbCr by one of its marks and RGB by another; save it with LZW"
            " or Deflate"
        )
    return jpeg.decoded(stream[: walk.end], "GRAY" if walk.components == 1 else "RGB")
