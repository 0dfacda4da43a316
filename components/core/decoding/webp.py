"""WebP (RFC 9649): the container walked, then libwebp, twice.

Nothing in a WebP is a checksum, and libwebp paints whatever its arithmetic decoder gives it. But
that decoder uses up its bytes to the last few, and after damage it uses up more (libwebp errs) or
fewer. So a whole picture is one that decodes, and that no longer decodes when its last bytes are
cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from components.core.decoding.metadata import exif_upright
from components.core.decoding.picture import (
    MAX_ICC_BYTES,
    Metadata,
    Stored,
    damaged,
    truncated,
    unusual,
)
from components.core.levels import Pixels

LOSSY, LOSSLESS = b"VP8 ", b"VP8L"
# Encoders need 1 to 4 of the last bytes for sure: libwebp pads its arithmetic coder with up to 3,
# libvpx with 4.
SPARE_BYTES = {LOSSY: 8, LOSSLESS: 4}
_ANIMATED = 0x02  # flag of VP8X


@dataclass(frozen=True)
class _Frame:
    name: bytes
    body: bytes
    width: int
    height: int


def stored(data: bytes) -> Stored:
    """Take a WebP apart. Raises PhotoError where a chunk or the end is missing, or sizes
    contradict each other.
    """
    frame = _frame(data)
    chunks = list(_chunks(data))
    parts = dict(reversed(chunks))  # of several, the first
    orientation, exif = exif_upright(parts.get(b"EXIF", b""), parts.get(b"XMP ", b""))
    icc = parts.get(b"ICCP")
    return Stored(
        frame.width,
        frame.height,
        3,
        8,
        orientation,
        Metadata(icc if icc and len(icc) <= MAX_ICC_BYTES else None, exif),
        animated=sum(name == b"ANMF" for name, _ in chunks) > 1,
    )


def pixels(data: bytes) -> Pixels:
    """Decode to (H, W, 3) uint8 RGB, as stored; of an animation, its first frame. Raises
    PhotoError for what is not whole.
    """
    frame = _frame(data)
    try:
        found = np.asarray(_decoded(frame.name, frame.body))
    except imagecodecs.WebpError as error:
        damaged(f"libwebp says: {error}")
    if found.shape[:2] != (frame.height, frame.width):
        damaged(f"it holds {found.shape[1]} × {found.shape[0]} px and claims {frame.width} × {frame.height}")
    if _needs_fewer(frame, SPARE_BYTES[frame.name]):
        damaged("its picture ends before its bytes do, so that some of them are not what they were")
    return found[:, :, :3]


def _decoded(name: bytes, body: bytes) -> Pixels:
    whole = b"WEBP" + name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    found: Pixels = imagecodecs.webp_decode(
        b"RIFF" + struct.pack("<I", len(whole)) + whole, hasalpha=name == LOSSLESS
    )
    return found


def _needs_fewer(frame: _Frame, spare: int) -> bool:
    try:
        _decoded(frame.name, frame.body[:-spare])
    except imagecodecs.WebpError:
        return False
    return True


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    (size,) = struct.unpack_from("<I", data, 4)
    if 8 + size > len(data):
        truncated(f"it claims {8 + size} bytes and has {len(data)}")
    yield from _chunks_in(data, 12, 8 + size)


def _chunks_in(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while position < end:
        if position + 8 > end:
            damaged(f"no chunk at byte {position}, where one must be")
        name, length = struct.unpack_from("<4sI", data, position)
        if position + 8 + length > end:
            damaged(f"a chunk at byte {position} claims {length} bytes, {end - position - 8} are there")
        yield name, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _frame(data: bytes) -> _Frame:
    """The still picture, or an animation's first frame where it covers the whole of it."""
    chunks = list(_chunks(data))
    if not chunks:
        damaged("it has no chunk")
    name, head = chunks[0]
    if name in SPARE_BYTES:
        return _still(name, head)
    if name != b"VP8X" or len(head) != 10:
        damaged("its first chunk is none that begins a WebP")
    width, height = _size24(head, 4), _size24(head, 7)
    found = _first_of(chunks[1:], width, height) if head[0] & _ANIMATED else _still_of(chunks[1:])
    if (found.width, found.height) != (width, height):
        damaged(f"its canvas has {width} × {height} px, its picture {found.width} × {found.height}")
    return found


def _first_of(chunks: list[tuple[bytes, bytes]], width: int, height: int) -> _Frame:
    body = next((body for name, body in chunks if name == b"ANMF"), b"")
    if len(body) < 16:
        damaged("it is an animation without a frame")
    if any(body[:6]) or (_size24(body, 6), _size24(body, 9)) != (width, height):
        unusual(
            f"an animation whose first frame does not cover its {width} × {height} px; save that frame as a"
            " photo"
        )
    return _still_of(list(_chunks_in(body, 16, len(body))))


def _still_of(chunks: list[tuple[bytes, bytes]]) -> _Frame:
    pictures = [(name, body) for name, body in chunks if name in SPARE_BYTES]
    if len(pictures) != 1:
        damaged(f"it holds {len(pictures)} pictures, not one")
    return _still(*pictures[0])


def _still(name: bytes, body: bytes) -> _Frame:
    if len(body) < 10:
        truncated()
    if name == LOSSLESS:
        (size,) = struct.unpack_from("<I", body, 1)
        if body[0] != 0x2F or size >> 29:
            damaged("its lossless picture does not begin as one")
        return _Frame(name, body, (size & 0x3FFF) + 1, (size >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", body, 6)
    if body[0] & 1 or body[3:6] != b"\x9d\x01\x2a" or not width & 0x3FFF or not height & 0x3FFF:
        damaged("its lossy picture does not begin as one")
    return _Frame(name, body, width & 0x3FFF, height & 0x3FFF)


def _size24(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little") + 1
