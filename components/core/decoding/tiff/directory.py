"""TIFF 6.0 and BigTIFF: the directories, and which of them is the photo."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np

from components.core.decoding.picture import damaged, truncated, unusual
from components.core.errors import PhotoError

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_PAGES = 1000
MAX_ENTRIES = 4096
_DTYPES = {
    1: "u1",
    2: "S1",
    3: "u2",
    4: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    11: "f4",
    12: "f8",
    13: "u4",
    16: "u8",
    17: "i8",
    18: "u8",
}
_RATIONAL, _SIGNED_RATIONAL = 5, 10
_PREVIEW = 1  # bit of NewSubfileType: a smaller version of another page
_MASK = 4
_OLD_PREVIEW = 2  # SubfileType


class Tag(IntEnum):
    """The tags that decide about pixels, and those a writer keeps."""

    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTES = 279
    DENSITY_ACROSS = 282
    DENSITY_DOWN = 283
    PLANAR = 284
    DENSITY_UNIT = 296
    PREDICTOR = 317
    COLOUR_MAP = 320
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTES = 325
    SUB_DIRECTORIES = 330
    INK_SET = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    THUMBNAIL = 513
    THUMBNAIL_BYTES = 514
    EXIF = 34665
    ICC = 34675
    GPS = 34853
    INTEROPERABILITY = 40965
    DNG = 50706


_CLAIMS = (
    (Tag.STRIP_OFFSETS, Tag.STRIP_BYTES),
    (Tag.TILE_OFFSETS, Tag.TILE_BYTES),
    (Tag.THUMBNAIL, Tag.THUMBNAIL_BYTES),
)
_SUB = Tag.SUB_DIRECTORIES
_POINTERS = (_SUB, Tag.EXIF, Tag.GPS, Tag.INTEROPERABILITY)


_DECIDING = frozenset(int(tag) for tag in Tag)


@dataclass(frozen=True)
class Entry:
    """A tag's value: its type's number, its bytes, and where in the file they end."""

    kind: int
    data: bytes
    end: int


@dataclass(frozen=True)
class Directory:
    """One page: its tags, and where in the file it stands."""

    entries: dict[int, Entry]
    order: str  # "<" or ">"
    start: int
    end: int

    def numbers(self, tag: Tag) -> tuple[int, ...] | None:
        """A tag's whole numbers, or None where it is not there."""
        entry = self.entries.get(tag)
        if entry is None:
            return None
        dtype = _DTYPES.get(entry.kind, "")
        if dtype[:1] not in ("u", "i"):
            damaged(f"its tag {tag.name} holds no whole numbers")
        return tuple(np.frombuffer(entry.data, self.order + dtype).tolist())

    def number(self, tag: Tag, default: int | None = None) -> int:
        """A tag's one number. Raises PhotoError where it is missing without a default, or holds
        none.
        """
        found = self.numbers(tag)
        if not found:
            return default if default is not None else damaged(f"its tag {tag.name} is missing")
        return found[0]

    def ratio(self, tag: Tag) -> float | None:
        """A tag's one fraction as a float, or None."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind != _RATIONAL or len(entry.data) < 8:
            return None
        above, below = struct.unpack_from(self.order + "II", entry.data)
        return above / below if above and below else None

    @property
    def is_preview(self) -> bool:
        return (
            bool(self.number(Tag.NEW_SUBFILE_TYPE, 0) & (_PREVIEW | _MASK))
            or self.number(Tag.SUBFILE_TYPE, 0) == _OLD_PREVIEW
        )

    @property
    def area(self) -> int:
        return self.number(Tag.WIDTH) * self.number(Tag.HEIGHT)

    @property
    def looks(self) -> tuple[int, ...]:
        """Width, height and kind of the pixels."""
        return tuple(self.number(tag, 0) for tag in (Tag.WIDTH, Tag.HEIGHT, Tag.PHOTOMETRIC))


def photo_page(data: bytes) -> Directory:
    """The page that is the photo: the first that is not marked as a preview or mask, else such a
    one below the pages.

    Raises PhotoError where there is none, several among which nobody can choose (a page of the same
    size and kind is another photo of a scan), or bytes behind all pages that are nobody's.
    """
    if data[8:10] == b"CR":
        unusual("a camera's raw file (CR2); develop it first")
    pages = _chain(data)
    if any(Tag.DNG in page.entries for page in pages):
        unusual("a camera's raw file (DNG); develop it first")
    photos = [page for page in pages if not page.is_preview]
    below = [] if photos else [found for page in pages for found in directories_at(data, page, _SUB)]
    below = [page for page in below if not page.is_preview]
    if not (photos or below):
        unusual("a TIFF all of whose pages are marked as previews")
    photo = (photos or below)[0]
    others = [page for page in photos or below if page is not photo]
    if any(other.area > photo.area for other in others):
        unusual("a TIFF with several pages, the first not the largest; save the photo alone")
    like = sum(other.looks == photo.looks for other in others)
    if like:
        unusual(f"a TIFF with {like + 1} pages that may each be the photo; save each in a file of its own")
    # Bytes put in somewhere push the photo's last ones out. Writers fill up with zeros, if at all.
    over = data[max(_end(data, page) for page in pages) :].strip(b"\0")
    if over:
        damaged(
            f"{len(over)} bytes at its end belong to no page, so that some before them are not its own;"
            " if the photo looks whole, save it again"
        )
    return photo


def directories_at(data: bytes, page: Directory, tag: Tag) -> list[Directory]:
    """The directories that a page's tag points to. Raises PhotoError where one is not whole."""
    return [_directory(data, start)[0] for start in (page.numbers(tag) or ())[:MAX_PAGES]]


def _end(data: bytes, page: Directory, depth: int = 0) -> int:
    """Where the last byte that a page claims lies: its tags', its pixels', and those of the
    directories below it.
    """
    ends = [page.end, *(entry.end for entry in page.entries.values())]
    for places, sizes in _CLAIMS:
        with suppress(PhotoError):
            pairs = zip(page.numbers(places) or (), page.numbers(sizes) or (), strict=False)
            ends.extend(place + size for place, size in pairs)
    for tag in _POINTERS if depth < 4 else ():
        with suppress(PhotoError):
            ends.extend(_end(data, found, depth + 1) for found in directories_at(data, page, tag))
    return max(ends)


def _chain(data: bytes) -> list[Directory]:
    order, big = _form(data)
    if big:
        if len(data) < 16:
            truncated()
        if struct.unpack_from(order + "HH", data, 4) != (8, 0):
            damaged("its BigTIFF head is none")
        (start,) = struct.unpack_from(order + "Q", data, 8)
    else:
        if len(data) < 8:
            truncated()
        (start,) = struct.unpack_from(order + "I", data, 4)
    pages: list[Directory] = []
    seen: set[int] = set()
    while start:
        if start in seen or len(pages) >= MAX_PAGES:
            damaged("its pages run in a circle" if start in seen else f"it has more than {MAX_PAGES} pages")
        seen.add(start)
        page, start = _directory(data, start)
        pages.append(page)
    if not pages:
        damaged("it has no page")
    return pages


def _form(data: bytes) -> tuple[str, bool]:
    """Byte order, and whether it is a BigTIFF."""
    return ("<" if data[:2] == b"II" else ">"), data[:4] in STARTS[2:]


def _directory(data: bytes, start: int) -> tuple[Directory, int]:
    """The directory at `start`, and where the next one stands (0: none)."""
    order, big = _form(data)
    head, entry, link = (
        (order + "Q", order + "HHQ", order + "Q") if big else (order + "H", order + "HHI", order + "I")
    )
    inline = 8 if big else 4
    if start < inline * 2 or start + struct.calcsize(head) > len(data):
        truncated(f"its directory at byte {start} lies outside of the file")
    (count,) = struct.unpack_from(head, data, start)
    first = start + struct.calcsize(head)
    size = struct.calcsize(entry) + inline
    end = first + count * size
    if not 0 < count <= MAX_ENTRIES:
        damaged(f"its directory at byte {start} has {count} entries")
    if end + struct.calcsize(link) > len(data):
        truncated(f"its directory at byte {start} ends outside of the file")
    heads = [struct.unpack_from(entry, data, first + number * size) for number in range(count)]
    if any(before >= after for (before, *_), (after, *_) in pairwise(heads)):
        damaged(f"its directory at byte {start} is out of order")
    entries = {}
    for number, (tag, kind, values) in enumerate(heads):
        place = first + number * size + struct.calcsize(entry)
        found = _values(data, order, place, inline, kind, values)
        if found is not None:
            entries[tag] = Entry(kind, *found)
        elif tag in _DECIDING:
            damaged(f"its tag {Tag(tag).name} is of an unknown type or lies outside of the file")
    (following,) = struct.unpack_from(link, data, end)
    return Directory(entries, order, start, end + struct.calcsize(link)), following


def _values(
    data: bytes, order: str, place: int, inline: int, kind: int, count: int
) -> tuple[bytes, int] | None:
    """An entry's bytes, there or where it points to, and where they end; None where they are not
    in the file.
    """
    width = (
        8
        if kind in (_RATIONAL, _SIGNED_RATIONAL)
        else np.dtype(_DTYPES[kind]).itemsize
        if kind in _DTYPES
        else 0
    )
    size = width * count
    if not size:
        return None
    if size > inline:
        (place,) = struct.unpack_from(order + ("Q" if inline == 8 else "I"), data, place)
    return (data[place : place + size], place + size) if place + size <= len(data) else None
