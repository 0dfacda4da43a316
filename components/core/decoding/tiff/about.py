"""What a TIFF page says about the photo, not about its layout, as an EXIF block of its own."""

from __future__ import annotations

import struct
from contextlib import suppress

from components.core.decoding.tiff.directory import Directory, Entry, Tag, directories_at
from components.core.errors import PhotoError

# Description, make, model, software, date, artist, copyright.
_PLAIN = (270, 271, 272, 305, 306, 315, 33432)
_BELOW = (Tag.EXIF, Tag.GPS, Tag.INTEROPERABILITY)
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # EXIF knows no others
_LONG = 4
_HEAD_BYTES = 8


def exif_block(data: bytes, page: Directory) -> bytes | None:
    """The block, in the file's byte order, or None where the page says nothing."""
    plain = {tag: entry for tag, entry in page.entries.items() if tag in _PLAIN and entry.kind in _WIDTHS}
    written = _written(data, page, plain, _HEAD_BYTES)
    start = struct.pack(page.order + "HI", 42, _HEAD_BYTES)
    return ({"<": b"II", ">": b"MM"}[page.order] + start + written) if written else None


def _written(data: bytes, page: Directory, plain: dict[int, Entry], start: int, depth: int = 0) -> bytes:
    """A directory that stands at `start`, and behind it what it points to; empty without entries."""
    below: dict[int, Directory] = {}
    for tag in _BELOW if depth < 3 else ():
        with suppress(PhotoError):  # a broken directory about the photo hides no pixels
            below.update((int(tag), found) for found in directories_at(data, page, tag)[:1])
    rows, behind = [], b""
    first = start + 2 + 12 * (len(plain) + len(below)) + 4
    for number in sorted({**plain, **below}):
        place = struct.pack(page.order + "I", first + len(behind))
        if number in below:
            found = below[number]
            own = {
                tag: entry
                for tag, entry in found.entries.items()
                if tag not in _BELOW and entry.kind in _WIDTHS
            }
            behind += _written(data, found, own, first + len(behind), depth + 1)
            rows.append(struct.pack(page.order + "HHI", number, _LONG, 1) + place)
            continue
        entry = plain[number]
        count = len(entry.data) // _WIDTHS[entry.kind]
        rows.append(struct.pack(page.order + "HHI", number, entry.kind, count))
        rows[-1] += place if len(entry.data) > 4 else entry.data.ljust(4, b"\0")
        if len(entry.data) > 4:
            behind += entry.data + b"\0" * (len(entry.data) % 2)
    if not rows:
        return b""
    return struct.pack(page.order + "H", len(rows)) + b"".join(rows) + bytes(4) + behind
