"""A restored photo as a TIFF file, 8 or 16 bits, deflated, with its profile, EXIF and density.

An EXIF block is a TIFF structure. It becomes the beginning of the file, so that every offset in it,
those in camera makers' notes too, stays true; the pixels follow it, and a directory that has its
entries and ours. TIFF 6.0; ICC.1 annex B; horizontal prediction as Adobe's TechNote of 1995 has it.
"""

from __future__ import annotations

import struct
import sys
import zlib

import numpy as np

from components.core.encoding.exif import exif_of_restored, fits
from components.core.errors import PhotoError
from components.core.images import Metadata, Pixels
from components.core.levels import bits_of

STRIP_PX = 1 << 20  # pixels deflated at once: what is packed beside the picture stays small
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
# Tags that say how pixels are stored: those of the original's file, or of its thumbnail, are replaced.
OF_PIXELS = (
    *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 317),
    *(318, 319, 320, 322, 323, 324, 325, 330, 332, 338, 339, 347, 513, 514, 529, 530, 531, 532, 34675),
)
DENSITY = (282, 283, 296)
PLAIN = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}
DEFLATE, RGB, PREDICTED, INCHES = 8, 2, 2, 2


def encoded(pixels: Pixels, original: bytes, metadata: Metadata, scale: int) -> bytes:
    """(H, W, 3) uint8 or uint16 as TIFF. Raises PhotoError where it would take 4 GB or more."""
    height, width = pixels.shape[:2]
    exif = None if metadata.exif is None else exif_of_restored(metadata.exif, width=width, height=height)
    order = ">" if exif is not None and exif.startswith(b"MM") else "<"
    data = bytearray(exif if exif is not None else PLAIN[order])
    entries = _entries(data, order) if exif is not None else {}
    rows = max(1, STRIP_PX // width)
    places, lengths = [], []
    for top in range(0, height, rows):
        packed = _packed(pixels[top : top + rows], order)
        places.append(_put(data, packed))
        lengths.append(len(packed))
    own = _own_tags(pixels, order, rows, places, lengths)
    if fits(metadata.icc) and metadata.icc is not None:
        own[34675] = (UNDEFINED, len(metadata.icc), metadata.icc)
    if metadata.density is not None:
        thousandths = [round(1000 * scale * dots) for dots in metadata.density]
        if all(0 < value < 1 << 32 for value in thousandths):
            for tag, value in zip(DENSITY[:2], thousandths, strict=True):
                own[tag] = (RATIONAL, 1, struct.pack(order + "II", value, 1000))
            own[DENSITY[2]] = (SHORT, 1, struct.pack(order + "H", INCHES))
    _close(data, order, entries, own)
    return bytes(data)


def _own_tags(
    pixels: Pixels, order: str, rows: int, places: list[int], lengths: list[int]
) -> dict[int, tuple[int, int, bytes]]:
    """Type, count and value of each tag that tells how the pixels are stored."""

    def whole(kind: int, *values: int) -> tuple[int, int, bytes]:
        return kind, len(values), struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)

    height, width = pixels.shape[:2]
    return {
        256: whole(LONG, width),
        257: whole(LONG, height),
        258: whole(SHORT, *[bits_of(pixels)] * 3),
        259: whole(SHORT, DEFLATE),
        262: whole(SHORT, RGB),
        273: whole(LONG, *places),
        274: whole(SHORT, 1),
        277: whole(SHORT, 3),
        278: whole(LONG, rows),
        279: whole(LONG, *lengths),
        284: whole(SHORT, 1),
        317: whole(SHORT, PREDICTED),
    }


def _packed(rows: Pixels, order: str) -> bytes:
    """A strip, each value less the one to its left, deflated."""
    plain = np.ascontiguousarray(rows)
    differences = plain.copy()
    differences[:, 1:] -= plain[:, :-1]  # modulo the number of levels, as the format has it
    if differences.itemsize == 2 and (order == "<") != (sys.byteorder == "little"):
        differences = differences.byteswap()
    return zlib.compress(differences.tobytes(), 6)


def _entries(exif: bytearray, order: str) -> dict[int, bytes]:
    """The twelve bytes of each entry of an EXIF block's first directory that is not about pixels."""
    (first,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, first)
    found = {}
    for place in range(first + 2, first + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(order + "H", exif, place)
        if tag not in OF_PIXELS:
            found[tag] = bytes(exif[place : place + 12])
    return found


def _put(data: bytearray, value: bytes) -> int:
    """Append at an even place, which it gives."""
    if len(data) % 2:
        data.append(0)
    place = len(data)
    data += value
    if len(data) >= 1 << 32:
        raise PhotoError("too large: a TIFF file holds at most 4 GB; ask for PNG")
    return place


def _close(
    data: bytearray, order: str, entries: dict[int, bytes], own: dict[int, tuple[int, int, bytes]]
) -> None:
    """Append the directory, and point the file's head to it."""
    merged = dict(entries)
    for tag, (kind, count, value) in own.items():
        short = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", _put(data, value))
        merged[tag] = struct.pack(order + "HHI", tag, kind, count) + short
    directory = struct.pack(order + "H", len(merged)) + b"".join(merged[tag] for tag in sorted(merged))
    place = _put(data, directory + b"\0\0\0\0")
    struct.pack_into(order + "I", data, 4, place)
