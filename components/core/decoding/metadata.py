"""EXIF and XMP, as far as a picture's orientation goes: read it, and say "upright" once it has
been undone.
"""

from __future__ import annotations

import re
import struct
import zlib

ORIENTATION = 0x0112  # TIFF 6.0 and EXIF 2.3 tag
EXIF_HEAD = b"Exif\0\0"
_SHORT = 3
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


def exif_upright(block: bytes, xmp: bytes = b"") -> tuple[int, bytes | None]:
    """An EXIF block's orientation (1 to 8), and the block with its orientation set to 1, for a
    writer to keep.

    block: the TIFF structure, with or without "Exif\\0\\0" before it; xmp: asked where EXIF does
    not say. A broken block hides no pixels: it means upright, and None is kept of it.
    """
    block = block.removeprefix(EXIF_HEAD)
    place = _place_of_orientation(block)
    if place is None:
        found = _XMP_ORIENTATION.search(xmp)
        return (int(found[1]) if found else 1), (block if _is_tiff(block) else None)
    position, order = place
    (value,) = struct.unpack_from(order + "H", block, position)
    upright = block[:position] + struct.pack(order + "H", 1) + block[position + 2 :]
    return (value if 1 <= value <= 8 else 1), upright


def inflated(packed: bytes, most: int) -> bytes | None:
    """A zlib stream unpacked, or None where it is broken or larger than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, most)
    except zlib.error:
        return None
    return data if stream.eof else None


def _is_tiff(block: bytes) -> bool:
    return block[:4] in (b"II*\0", b"MM\0*")


def _place_of_orientation(block: bytes) -> tuple[int, str] | None:
    """Where the orientation's value stands, and the block's byte order."""
    if not _is_tiff(block):
        return None
    order = "<" if block[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for position in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", block, position)
            if tag == ORIENTATION and kind == _SHORT:
                struct.unpack_from(order + "H", block, position + 8)  # there at all
                return position + 8, order
    except struct.error:
        return None
    return None
