"""A restored photo as a PNG file that still says what its original said: colour profile, EXIF and
density.

The pixels are turned upright when a photo is decoded, so its EXIF says "upright" from then on;
otherwise every viewer would turn it again. PNG Third Edition, sections 11.3.2 and 11.3.3; EXIF 2.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from components.core.images import Metadata, Pixels, png_bytes

PNG_START = b"\x89PNG\r\n\x1a\n"
HEAD = len(PNG_START) + 25  # the signature and IHDR
INCHES_PER_METRE = 1 / 0.0254
# Colours that a PNG tells without a profile; they are copied from PNG to PNG.
COLOUR_CHUNKS = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
ORIENTATION, EXIF_IFD, WIDTH, HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
SHORT, LONG = 3, 4


def restored_png(pixels: Pixels, original: bytes, metadata: Metadata, scale: int = 1) -> bytes:
    """(H, W, 3) uint8 or uint16 as PNG, with what the original's file says beside its pixels.

    original: the file the pixels were restored from; scale: how many times larger they are, so that
    a print keeps its size.
    """
    chunks = []
    if fits(metadata.icc):
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc or b"")))
    elif original.startswith(PNG_START) and metadata.icc is None:
        chunks += [_chunk(name, body) for name, body in _chunks(original) if name in COLOUR_CHUNKS]
    if metadata.density is not None:
        across, down = (round(scale * dots * INCHES_PER_METRE) for dots in metadata.density)
        if 0 < across < 1 << 31 and 0 < down < 1 << 31:
            chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif is not None:
        exif = exif_of_restored(metadata.exif, width=pixels.shape[1], height=pixels.shape[0])
        chunks += [] if exif is None else [_chunk(b"eXIf", exif)]
    plain = png_bytes(pixels)
    return plain[:HEAD] + b"".join(chunks) + plain[HEAD:]


def fits(icc: bytes | None) -> bool:
    """Whether a profile is for red, green and blue, as the restored pixels are (ICC.1, 7.2.6)."""
    return icc is not None and icc[16:20] == b"RGB "


def exif_of_restored(block: bytes, *, width: int, height: int) -> bytes | None:
    """An EXIF block for the restored photo: upright, of its size, without the thumbnail of the
    original. None where the block is broken.

    Values are changed in place: camera makers' notes hold offsets that moving would break.
    """
    changed = bytearray(block.removeprefix(b"Exif\0\0"))
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(changed[:4]))
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(order + "I", changed, 4)
        for tag, kind, place in _entries(changed, first, order):
            if tag == ORIENTATION and kind == SHORT:
                struct.pack_into(order + "H", changed, place, 1)
            elif tag == EXIF_IFD:
                (second,) = struct.unpack_from(order + "I", changed, place)
                for inner, inner_kind, at in _entries(changed, second, order):
                    if inner in (WIDTH, HEIGHT) and inner_kind in (SHORT, LONG):
                        side = width if inner == WIDTH else height
                        struct.pack_into(order + ("H" if inner_kind == SHORT else "I"), changed, at, side)
        (count,) = struct.unpack_from(order + "H", changed, first)
        struct.pack_into(order + "I", changed, first + 2 + 12 * count, 0)  # the thumbnail's directory
    except struct.error:
        return None
    return bytes(changed)


def _entries(block: bytearray, start: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Tag, type and the place of the value of each entry of a directory."""
    (count,) = struct.unpack_from(order + "H", block, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", block, place)
        yield tag, kind, place + 8


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
