"""Files that a library takes and that do not hold a whole photo, or hold several; and what is no photo, by
its name.
"""

from __future__ import annotations

import io
import re
import struct
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
import tifffile
from photo_files import by_opencv, by_pillow, by_tifffile, chunk, png_by_hand, scene
from PIL import Image

from components.core.decoding import decode, upright
from components.core.decoding.metadata import ORIENTATION
from components.core.errors import PhotoError

PALETTE = np.random.default_rng(5).integers(0, 256, (256, 3), dtype=np.uint8)
PLACES = np.random.default_rng(4).integers(0, 256, (20, 32, 1), dtype=np.uint8)


def scans_of(data: bytes) -> list[bytes]:
    """A JPEG in parts: what stands before its first scan, then each scan with the tables before it."""
    starts = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    tables = [data.rfind(b"\xff\xc4", end, start) for end, start in pairwise(starts)]
    cuts = [
        starts[0],
        *(table if table >= 0 else start for table, start in zip(tables, starts[1:], strict=True)),
    ]
    ends = [*cuts[1:], len(data) - 2]
    return [data[: cuts[0]], *(data[start:end] for start, end in zip(cuts, ends, strict=True))]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_jpeg_that_ends_with_a_coarser_scan_is_refused(mode: str) -> None:
    whole = by_pillow(Image.fromarray(scene(64, 80)).convert(mode), "JPEG", progressive=True)
    head, *scans = scans_of(whole)
    assert head + b"".join(scans) + b"\xff\xd9" == whole
    assert len(scans) > 4
    decode(whole)
    for kept in range(1, len(scans)):
        with pytest.raises(PhotoError, match=r"^truncated: its scans end before"):
            decode(head + b"".join(scans[:kept]) + b"\xff\xd9")


def test_a_jpeg_that_lacks_the_scan_of_one_colour_is_refused() -> None:
    greys = [by_pillow(scene(32, 48)[:, :, channel], "JPEG") for channel in range(3)]
    table = greys[0][: greys[0].find(b"\xff\xc0")]
    codes = greys[0][greys[0].find(b"\xff\xc4") : greys[0].find(b"\xff\xda")]
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 32, 48, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    scans = [
        b"\xff\xda"
        + struct.pack(">HB", 8, 1)
        + bytes([number, 0, 0, 63, 0])
        + grey[grey.find(b"\xff\xda") + 10 : -2]
        for number, grey in enumerate(greys, 1)
    ]
    assert decode(table + frame + codes + b"".join(scans) + b"\xff\xd9").channels == 3
    for kept in (scans[:2], scans[1:]):
        with pytest.raises(PhotoError, match=r"^truncated: its scans end before"):
            decode(table + frame + codes + b"".join(kept) + b"\xff\xd9")
    with pytest.raises(PhotoError, match=r"^damaged: the head of its scan 1 names other channels"):
        decode(table + frame + codes + scans[0].replace(b"\0\x08\1\1", b"\0\x08\1\7") + b"\xff\xd9")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_png_whose_palette_lacks_a_colour_that_is_used_is_refused(depth: int, interlaced: bool) -> None:
    places = PLACES.astype(np.uint16) % 2**depth
    places[0, 0] = 2**depth - 1
    for colours, fits in ((2**depth, True), (2**depth - 1, False), (0, False)):
        more = chunk(b"PLTE", PALETTE[:colours].tobytes())
        data = png_by_hand(places, 3, depth, interlaced=interlaced, more=more)
        if fits:
            assert np.array_equal(decode(data).pixels, PALETTE[places[:, :, 0]])
        else:
            with pytest.raises(PhotoError, match=r"^damaged: its palette of \d+ bytes has no colour"):
                decode(data)


@pytest.mark.parametrize("more", ["none", "two", "cut"])
def test_a_png_with_no_whole_palette_or_with_two_is_refused(more: str) -> None:
    whole = chunk(b"PLTE", PALETTE.tobytes())
    chunks = {"none": b"", "two": whole * 2, "cut": chunk(b"PLTE", PALETTE.tobytes()[:-1])}[more]
    with pytest.raises(PhotoError, match=r"^damaged: (its palette|chunk PLTE)"):
        decode(png_by_hand(PLACES.astype(np.uint16), 3, 8, interlaced=False, more=chunks))


@pytest.mark.parametrize("place", [10, 11, 12])
def test_a_png_packed_by_a_method_that_there_is_not_is_refused_by_its_head(place: int) -> None:
    data = by_pillow(scene(9, 9), "PNG")
    head = bytearray(data[16:29])
    head[place] = 2
    with pytest.raises(PhotoError, match=r"^damaged: its pixels are packed, filtered and interlaced by"):
        decode(data[:8] + chunk(b"IHDR", bytes(head)) + data[33:])


@pytest.mark.parametrize("times", [1, 256, 257])
def test_a_tiffs_palette_is_its_colours_whether_written_in_8_bits_or_16(times: int) -> None:
    table = PALETTE.T.astype(np.uint16) * times
    data = by_tifffile(PLACES[:, :, 0], photometric="palette", colormap=table)
    assert np.array_equal(decode(data).pixels, PALETTE[PLACES[:, :, 0]])


def several(*pages: tuple[np.ndarray, int]) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for pixels, kind in pages:
            writer.write(pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", subfiletype=kind)
    return stream.getvalue()


def test_of_a_scan_of_several_photos_none_vanishes_without_a_word() -> None:
    photo, other = scene(40, 60), scene(40, 60, seed=1)
    for kind in (0, 2):  # as single photos, and as pages of a document
        with pytest.raises(PhotoError, match=r"^unusual: a TIFF with 3 pages that may each be the photo"):
            decode(several((photo, kind), (other, kind), (other, kind)))
    for beside in ((other[:20, :30], 0), (other[:, :, 0], 0), (other, 1)):
        assert np.array_equal(decode(several((photo, 0), beside)).pixels, photo)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("before", [b"", b"Exif\0\0"])
def test_a_photo_is_turned_whatever_type_its_orientation_has(order: str, kind: int, before: bytes) -> None:
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I"}[kind], 6)
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, 1)
    block += struct.pack(order + "HHI", ORIENTATION, kind, 1) + value + bytes(4)
    plain = by_pillow(scene(20, 30), "JPEG")
    body = b"Exif\0\0" + before + block
    empty = b"\xff\xe1\0\x08Exif\0\0"
    data = plain[:2] + empty + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]
    picture = decode(data)
    assert np.array_equal(picture.pixels, upright(decode(plain).pixels, 6))
    assert picture.metadata.exif is not None
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert kept[ORIENTATION] in (1, b"\1")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (bytes(5000), "begins with zeros"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (by_pillow(scene(9, 9), "PNG").replace(b"\r\n", b"\n"), "as if it were text"),
        (by_pillow(Image.fromarray(scene(9, 9)), "GIF"), "a GIF"),
        (by_pillow(scene(9, 9), "BMP"), "a BMP"),
        (by_opencv(scene(64, 64), ".jp2"), "a JPEG 2000"),
        (b"\r\n<!DOCTYPE html><title>403</title>", "a web page"),
        (b"PK\x03\x04...", "unpack it first"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "develop it first"),
        (b"some words", "no JPEG, PNG, WebP, TIFF, AVIF or HEIC in it"),
    ],
)
def test_what_is_no_photo_is_called_by_its_name(data: bytes, words: str) -> None:
    with pytest.raises(PhotoError, match=rf"^not a photo: .*{words}"):
        decode(data)


def test_a_jpeg_of_another_standard_is_called_by_its_name() -> None:
    with pytest.raises(PhotoError, match=r"^unusual: a JPEG-LS; save it as PNG"):
        decode(imagecodecs.jpegls_encode(scene(16, 16)))
