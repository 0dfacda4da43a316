"""A restored photo as a PNG file: PNG Third Edition, sections 11.3.2 and 11.3.3."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from components.core.decoding.png import COLOUR_CHUNKS
from components.core.encoding.exif import exif_of_restored, fits
from components.core.images import Metadata, Pixels, png_bytes

PNG_START = b"\x89PNG\r\n\x1a\n"
HEAD = len(PNG_START) + 25  # the signature and IHDR
INCHES_PER_METRE = 1 / 0.0254


def encoded(pixels: Pixels, original: bytes, metadata: Metadata, scale: int) -> bytes:
    """(H, W, 3) uint8 or uint16 as PNG, with what the original's file says beside its pixels.

    original: the file the pixels were restored from; scale: how many times larger they are, so that
    a print keeps its size.
    """
    # Colours that a PNG tells without a profile are copied from PNG to PNG.
    told = dict(_chunks(original)) if original.startswith(PNG_START) else {}
    chunks = [_chunk(name, told[name]) for name in COLOUR_CHUNKS if name in told and b"iCCP" not in told]
    if not chunks and fits(metadata.icc):
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc or b"")))
    if metadata.density is not None:
        across, down = (round(scale * dots * INCHES_PER_METRE) for dots in metadata.density)
        if 0 < across < 1 << 31 and 0 < down < 1 << 31:
            chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif is not None:
        exif = exif_of_restored(metadata.exif, width=pixels.shape[1], height=pixels.shape[0])
        chunks += [] if exif is None else [_chunk(b"eXIf", exif)]
    plain = png_bytes(pixels)
    return plain[:HEAD] + b"".join(chunks) + plain[HEAD:]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of the chunks before the pixels."""
    place = len(PNG_START)
    while place + 12 <= len(png):
        length, name = struct.unpack_from(">I4s", png, place)
        if name == b"IDAT":
            return
        yield name, png[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
