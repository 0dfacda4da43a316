"""JPEG (ITU T.81): every marker walked, then libjpeg-turbo, whose warnings count as damage.

libjpeg goes on after damage and fills what it has lost with grey or with blocks from elsewhere;
all that tells is a warning. simplejpeg is the binding that gives it as an error. The walk finds
what libjpeg does not mind (a missing end, a table of zeros), and what would cost hours: each scan
of a progressive file is a pass over the whole picture.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np
import simplejpeg
from PIL import Image

from components.core.decoding.metadata import EXIF_HEAD, exif_upright, tiff_block
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

START = b"\xff\xd8"
MAX_SCANS = 100  # encoders write 1 to 12; T.81 knows no limit
MAX_SCAN_MEGAPIXELS = 4_000  # scans × megapixels: about 2 s at 0.5 ms a scan and megapixel
MAX_FILL_BYTES = 65_536  # T.81 B.1.1.2 allows any number before a marker; cameras pad to a sector

_SOI, _EOI, _SOS, _DQT, _DNL, _TEM, _LS = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0x01, 0xF7
_PROGRESSIVE = (0xC2, 0xCA)
_NO_SCAN = 14  # more than the 13 bits by which a first scan may be coarser
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # C4, CC: tables; C8: reserved
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_XMP_HEAD, _ICC_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_FILL = re.compile(rb"\xff+")
_AFTER_SCAN = re.compile(
    rb"\xff[^\x00\xd0-\xd7\xff]"
)  # neither a stuffed 0xFF, nor a restart, nor a fill byte
_PER_INCH = {1: 1.0, 2: 2.54}  # JFIF: units of the density


@dataclass
class Walk:
    """What a walk over the markers has gathered."""

    width: int = 0
    height: int = 0
    components: int = 0
    scans: int = 0
    progressive: bool = False
    coarse: dict[int, list[int]] = field(default_factory=dict)  # lowest bits that no scan brought: by channel
    jfif: bool = False
    exif: bytes = b""
    xmp: bytes = b""
    icc: dict[int, bytes] = field(default_factory=dict)  # by its number, from 1
    icc_parts: int = 0
    density: tuple[float, float] | None = None
    end: int = 0  # where the picture's last byte lies; a phone's second view or film comes behind it


def stored(data: bytes) -> Stored:
    """Take a JPEG apart. Raises PhotoError where a marker, a size or the end is missing, or it
    asks for too many scans.
    """
    walk = walked(data)
    orientation, exif = exif_upright(walk.exif, walk.xmp)
    return Stored(
        walk.width,
        walk.height,
        1 if walk.components == 1 else 3,
        8,
        orientation,
        Metadata(_profile(walk), exif, walk.density),
    )


def pixels(data: bytes) -> Pixels:
    """Decode to (H, W, 3) uint8 RGB, as stored. Raises PhotoError for whatever libjpeg errs or
    warns on.
    """
    walk = walked(data)
    found = decoded(data[: walk.end], {1: "GRAY", 3: "RGB", 4: "CMYK"}[walk.components])
    if walk.components == 4:
        # Adobe's convention, which everybody keeps: stored inverted.
        return np.asarray(Image.fromarray(np.subtract(255, found, dtype=np.uint8), "CMYK").convert("RGB"))
    return three_channels(found)


def decoded(data: bytes, colours: str) -> Pixels:
    """libjpeg-turbo's decoding, (H, W, channels) uint8. Raises PhotoError for errors and warnings
    alike.
    """
    try:
        found: Pixels = simplejpeg.decode_jpeg(data, colorspace=colours, strict=True)
    except ValueError as error:
        said = str(error)
        if "premature end" in said.lower():
            truncated()
        damaged(f"libjpeg says: {said}; if the photo looks whole, save it again")
    return found


def walked(data: bytes) -> Walk:
    """Walk all markers from the first to the end of the picture. Raises PhotoError as `stored`
    does.
    """
    walk, position, fill = Walk(), 2, 0
    while True:
        filled = _FILL.match(data, position)
        if filled is None:
            if position >= len(data):
                truncated()
            damaged(f"no marker at byte {position}, where one must be")
        fill += len(filled[0]) - 1
        if fill > MAX_FILL_BYTES:
            unusual(f"more than {MAX_FILL_BYTES} fill bytes between its markers; save it again")
        position = filled.end() + 1
        if position > len(data):
            truncated()
        marker = data[position - 1]
        if marker == _EOI:
            break
        if marker in (0x00, _TEM, _SOI) or 0xD0 <= marker <= 0xD7:
            damaged(f"marker {marker:02X} at byte {position - 2}, where none of its kind may be")
        body = _segment(data, position)
        _note(walk, marker, body)
        position += 2 + len(body)
        if marker == _SOS:
            after = _AFTER_SCAN.search(data, position)
            if after is None:
                truncated()
            position = after.start()
    if not walk.scans:
        damaged("it has no scan")
    if any(map(any, walk.coarse.values())):
        truncated("its scans end before the picture is fine in all its colours")
    walk.end = position
    return walk


def _segment(data: bytes, position: int) -> bytes:
    if position + 2 > len(data):
        truncated()
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        damaged(f"a segment of {length} bytes at byte {position}")
    if position + length > len(data):
        truncated()
    return data[position + 2 : position + length]


def _note(walk: Walk, marker: int, body: bytes) -> None:
    if marker in _FRAMES:
        _frame(walk, marker, body)
    elif marker == _SOS:
        if not walk.components:
            damaged("a scan stands before its frame")
        _refine(walk, body)
        walk.scans += 1
        if walk.scans > MAX_SCANS:
            unusual(f"more than {MAX_SCANS} scans, as no camera writes; save it again")
        if walk.scans * walk.width * walk.height > MAX_SCAN_MEGAPIXELS * 1e6:
            most = MAX_SCAN_MEGAPIXELS * 1e6 / (walk.width * walk.height)
            unusual(
                f"more than {most:.0f} scans of {walk.width} × {walk.height} px; save it again, not"
                " progressive"
            )
    elif marker == _DQT:
        _quantisation(body)
    elif marker == _LS:
        unusual("a JPEG-LS; save it as PNG or TIFF")
    elif marker == _DNL:
        unusual("its height stands behind its pixels (DNL); save it again")
    elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 12:
        walk.jfif = True
        across, down = struct.unpack_from(">HH", body, 8)
        if body[7] in _PER_INCH and across and down:
            walk.density = across * _PER_INCH[body[7]], down * _PER_INCH[body[7]]
    elif marker == _APP1 and body.startswith(EXIF_HEAD):
        walk.exif = walk.exif or tiff_block(body)
    elif marker == _APP1 and body.startswith(_XMP_HEAD):
        walk.xmp = walk.xmp or body
    elif marker == _APP2 and body.startswith(_ICC_HEAD) and len(body) > 14:
        walk.icc[body[12]], walk.icc_parts = body[14:], body[13]


def _frame(walk: Walk, marker: int, body: bytes) -> None:
    if walk.components:
        damaged("it has two frames")
    if len(body) < 6:
        damaged("its frame is too short")
    bits, walk.height, walk.width, walk.components = struct.unpack_from(">BHHB", body)
    if bits != 8:
        unusual(f"a JPEG with {bits} bits a channel; save it as TIFF or PNG with 8 or 16")
    if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
        unusual(f"a lossless or hierarchical JPEG (frame {marker:02X}); save it as PNG or TIFF")
    if walk.components not in (1, 3, 4) or len(body) != 6 + 3 * walk.components:
        damaged(f"its frame has {walk.components} components in {len(body)} bytes")
    if not walk.width or not walk.height:
        damaged(f"it claims {walk.width} × {walk.height} px")
    walk.progressive = marker in _PROGRESSIVE
    walk.coarse = {name: [_NO_SCAN] * 64 for name in body[6::3]}


def _refine(walk: Walk, body: bytes) -> None:
    """Note what a scan brings: of which channels which frequencies, down to which bit (T.81 B.2.3)."""
    count = body[0] if body else 0
    if not 1 <= count <= 4 or len(body) != 4 + 2 * count or not walk.coarse.keys() >= set(body[1:-3:2]):
        damaged(f"the head of its scan {walk.scans + 1} names other channels than its frame")
    first, last, bits = body[-3:] if walk.progressive else (0, 63, 0)
    for name in body[1:-3:2]:
        walk.coarse[name][first : last + 1] = [bits & 0x0F] * len(walk.coarse[name][first : last + 1])


def _quantisation(body: bytes) -> None:
    position = 0
    while position < len(body):
        size = 2 if body[position] >> 4 else 1
        table = body[position + 1 : position + 1 + 64 * size]
        # T.81 B.2.4.1 has no zero; libjpeg takes it, and whole frequencies are gone.
        if len(table) != 64 * size or not all(struct.unpack(">64H" if size == 2 else ">64B", table)):
            damaged("a quantisation table is cut short or has a zero in it")
        position += 1 + 64 * size


def _profile(walk: Walk) -> bytes | None:
    if not walk.icc or sorted(walk.icc) != list(range(1, walk.icc_parts + 1)):
        return None
    profile = b"".join(walk.icc[number] for number in sorted(walk.icc))
    return profile if len(profile) <= MAX_ICC_BYTES else None
