"""EXIF and XMP, as far as a picture's orientation goes: read it, and say "upright" once it has
been undone.
"""

from __future__ import annotations

import re
import struct
import zlib

ORIENTATION = 0x0112  # TIFF 6.0 and EXIF 2.3 tag
EXIF_HEAD = b"Exif\0\0"
_TYPES = {1: "B", 3: "H", 4: "I"}  # EXIF 2.3 wants SHORT; some writers have BYTE or LONG
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


def exif_upright(block: bytes, xmp: bytes = b"") -> tuple[int, bytes | None]:
    """An EXIF block's orientation (1 to 8), and the block with its orientation set to 1, for a
    writer to keep.

    block: the TIFF structure, with or without "Exif\\0\\0" before it; xmp: asked where EXIF does
    not say. A broken block hides no pixels: it means upright, and None is kept of it.
    """
    block = tiff_block(block)
    place = _place_of_orientation(block)
    if place is None:
        found = _XMP_ORIENTATION.search(xmp)
        return (int(found[1]) if found else 1), (block or None)
    position, kind = place
    (value,) = struct.unpack_from(kind, block, position)
    upright = block[:position] + struct.pack(kind, 1) + block[position + struct.calcsize(kind) :]
    return (value if 1 <= value <= 8 else 1), upright


def inflated(packed: bytes, most: int) -> bytes | None:
    """A zlib stream unpacked, or None where it is broken or larger than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, most)
    except zlib.error:
        return None
    return data if stream.eof else None


def tiff_block(body: bytes) -> bytes:
    """What stands behind "Exif\\0\\0", which some writers put there twice; empty where it is no TIFF
    structure.
    """
    while body.startswith(EXIF_HEAD):
        body = body[len(EXIF_HEAD) :]
    return body if body[:4] in (b"II*\0", b"MM\0*") else b""


def _place_of_orientation(block: bytes) -> tuple[int, str] | None:
    """Where the orientation's value stands, and its format for `struct`."""
    order = "<" if block[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for position in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", block, position)
            if tag == ORIENTATION and kind in _TYPES:
                struct.unpack_from(order + _TYPES[kind], block, position + 8)  # there at all
                return position + 8, order + _TYPES[kind]
    except struct.error:
        return None
    return None
