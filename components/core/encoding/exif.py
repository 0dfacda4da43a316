"""What a photo's file says beside its pixels, made true of the restored photo.

The pixels are turned upright when a photo is decoded, so its EXIF says "upright" from then on;
otherwise every viewer would turn it again. EXIF 2.3; ICC.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

ORIENTATION, EXIF_IFD, WIDTH, HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
SHORT, LONG = 3, 4


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
