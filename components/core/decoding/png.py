"""PNG (W3C PNG 3): every chunk's checksum, then libpng, which holds the pixels against the
stream's own (Adler-32).

Of the file, libpng is given the chunks that make pixels: text of any size, animations and
profiles do not reach it, and transparency is left out, as alpha is dropped, not blended. Nor does a
palette: its pixels are read as grey, since libpng makes up a colour where the palette has none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

import cv2
import imagecodecs
import numpy as np

from components.core.decoding.colours import profile_of_png
from components.core.decoding.metadata import exif_upright, inflated
from components.core.decoding.picture import (
    MAX_ICC_BYTES,
    Metadata,
    Stored,
    damaged,
    three_channels,
    truncated,
    unusual,
)
from components.core.levels import Pixels

START = b"\x89PNG\r\n\x1a\n"
COLOUR_CHUNKS = (b"cICP", b"sRGB", b"gAMA", b"cHRM")  # colours without a profile
MAX_EXIF_BYTES = 16_000_000
_MAKES_PIXELS = (b"IHDR", b"IDAT", b"IEND")
_GREY, _PALETTE = 0, 3
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # Adam7: first px, steps
_RAW_EXIF = b"Raw profile type exif\0"  # ImageMagick's, before PNG had eXIf
_XMP = b"XML:com.adobe.xmp\0\0\0"  # uncompressed
_INTERLACED = 28  # byte of a PNG that says so, the last of IHDR
_METRES_PER_INCH = 0.0254


def stored(data: bytes) -> Stored:
    """Take a PNG apart. Raises PhotoError where a chunk or the end is missing, or a checksum is
    not right.
    """
    width, height, depth, colours = _head(data)
    icc = exif = None
    density, shown = None, 1
    text = xmp = b""
    said: dict[bytes, bytes] = {}
    for name, body in _chunks(data):
        if name in COLOUR_CHUNKS:
            said.setdefault(name, body)
        elif name == b"iCCP" and icc is None:
            icc = inflated(body.partition(b"\0")[2][1:], MAX_ICC_BYTES)
        elif name == b"eXIf" and exif is None:
            exif = body
        elif name == b"zTXt" and body.startswith(_RAW_EXIF):
            text = inflated(body[len(_RAW_EXIF) + 1 :], 2 * MAX_EXIF_BYTES) or b""
        elif name == b"tEXt" and body.startswith(_RAW_EXIF):
            text = body[len(_RAW_EXIF) :]
        elif name == b"iTXt" and body.startswith(_XMP):
            xmp = body
        elif name == b"acTL" and len(body) == 8:
            shown = int.from_bytes(body[:4], "big")
        elif name == b"pHYs" and len(body) == 9 and body[8] == 1:
            across, down = struct.unpack_from(">II", body)
            density = (across * _METRES_PER_INCH, down * _METRES_PER_INCH) if across and down else None
    orientation, upright = exif_upright(exif if exif is not None else _from_hex(text), xmp)
    return Stored(
        width,
        height,
        1 if colours in (0, 4) else 3,
        16 if depth == 16 else 8,
        orientation,
        Metadata(profile_of_png(said) if icc is None else icc, upright, density),
        animated=shown > 1,
    )


def pixels(data: bytes) -> Pixels:
    """Decode to (H, W, 3) uint8 or uint16 RGB, as stored. Raises PhotoError for whatever a
    checksum or libpng refuses.
    """
    _, _, depth, colours = _head(data)
    kept = list(_chunks(data))
    plain = START + b"".join(
        _chunk(name, _as_grey(body) if name == b"IHDR" and colours == _PALETTE else body)
        for name, body in kept
        if name in _MAKES_PIXELS
    )
    found = _interlaced(plain) if plain[_INTERLACED] else _in_rows(plain)
    if colours == _PALETTE:
        return _coloured(found[:, :, 0] // (255 // (2**depth - 1)), dict(kept).get(b"PLTE", b""))
    return found


def _as_grey(head: bytes) -> bytes:
    return head[:9] + bytes([_GREY]) + head[10:]


def _coloured(places: Pixels, palette: bytes) -> Pixels:
    colours = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)
    if len(palette) % 3 or int(places.max()) >= len(colours):
        damaged(f"its palette of {len(palette)} bytes has no colour for some of its pixels")
    return colours[places]


def _in_rows(plain: bytes) -> Pixels:
    try:
        found = imagecodecs.png_decode(plain)
    except (imagecodecs.PngError, ValueError) as error:
        if "not enough" in str(error).lower():
            truncated("its pixel data end before the picture does")
        damaged(f"libpng says: {error}")
    return three_channels(np.asarray(found))


def _interlaced(plain: bytes) -> Pixels:
    """The same of a PNG in seven passes, for which imagecodecs' libpng has a warning to print;
    OpenCV's, which errs less, has none.
    """
    needed = _interlaced_bytes(plain)
    packed = b"".join(body for name, body in _chunks(plain) if name == b"IDAT")
    try:
        there = len(imagecodecs.deflate_decode(packed, out=needed))
    except RuntimeError as error:
        damaged(f"its pixel data do not unpack to {needed} bytes: {error}")
    if there < needed:
        truncated("its pixel data end before the picture does")
    found = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)
    if found is None:
        damaged("libpng cannot read it")
    return np.asarray(found)


def _interlaced_bytes(data: bytes) -> int:
    """What the seven passes unpack to: their rows, each with a byte for its filter."""
    width, height, depth, colours = _head(data)
    total = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * _CHANNELS[colours] * depth // 8))
    return total


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's name and body, up to IEND; their order and checksums hold."""
    position, names = len(START), set[bytes]()
    last = b""
    while last != b"IEND":
        if position + 12 > len(data):
            truncated()
        length, name = struct.unpack_from(">I4s", data, position)
        if not (name.isalpha() and name.isascii()) or length > 0x7FFFFFFF:
            damaged(f"no chunk at byte {position}, where one must be")
        if position + 12 + length > len(data):
            truncated(
                f"its chunk {name.decode()} ends {position + 12 + length - len(data)} bytes behind the file"
            )
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(body, zlib.crc32(name)) != checksum:
            damaged(f"the checksum of chunk {name.decode()} at byte {position} is not that of its bytes")
        if name[:1].isupper() and name not in (*_MAKES_PIXELS, b"PLTE"):
            unusual(f"a chunk {name.decode()} that no PNG standard knows")
        if (
            (name == b"IHDR") != (not names)
            or (name == b"IDAT" and b"IDAT" in names and last != b"IDAT")
            or (name == b"PLTE" and names & {b"PLTE", b"IDAT"})
        ):
            damaged(f"chunk {name.decode()} at byte {position} is out of order")
        yield name, body
        names.add(name)
        last, position = name, position + 12 + length
    if b"IDAT" not in names:
        damaged("it has no pixel data")


def _head(data: bytes) -> tuple[int, int, int, int]:
    """Width and height in px, bits a channel, colour type."""
    name, body = next(_chunks(data))
    if len(body) != 13:
        damaged(f"chunk {name.decode()} has {len(body)} bytes, not 13")
    width, height, depth, colours = struct.unpack_from(">IIBB", body)
    if depth not in _DEPTHS.get(colours, ()) or not width or not height:
        damaged(f"it claims {width} × {height} px of colour type {colours} with {depth} bits")
    if any(body[10:12]) or body[12] > 1:
        damaged(f"its pixels are packed, filtered and interlaced by {list(body[10:])}, which no PNG is")
    return width, height, depth, colours


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def _from_hex(text: bytes) -> bytes:
    """ImageMagick's raw profile: a line with its name, one with its length, then hexadecimal
    digits.
    """
    with suppress(ValueError):
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    return b""
