"""What is not the photo is not taken: damage by every kind of writer, and files made to cost
much.
"""

from __future__ import annotations

import io
import re
import struct
import time
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import (
    CHECKED,
    DAMAGES,
    LOSSLESS,
    LOSSY,
    by_opencv,
    by_pillow,
    by_tifffile,
    chunk,
    damaged,
    scene,
)
from PIL import Image

from components.core.decoding import decode, header, jpeg
from components.core.errors import PhotoError

KINDS = r"^(not a photo|truncated|damaged|unusual|too large): \S"
FILES = {name: write(scene(96, 128, bits)) for name, (bits, write) in LOSSLESS.items()} | {
    name: write(scene(96, 128)) for name, write in LOSSY.items()
}
GOOD = {name: decode(data).pixels for name, data in FILES.items()}


def taken(data: bytes) -> np.ndarray[Any, Any] | None:
    """The picture, or None where it is refused; PhotoError with a kind is the only other way out."""
    try:
        return decode(data).pixels
    except PhotoError as error:
        if re.match(KINDS, str(error)):
            return None
        raise


def decibels(found: np.ndarray[Any, Any], good: np.ndarray[Any, Any]) -> float:
    if found.shape != good.shape or found.dtype != good.dtype:
        return 0.0
    error = np.mean(np.square((found.astype(np.float64) - good) / np.iinfo(good.dtype).max))
    return 99.0 if error == 0 else float(-10 * np.log10(error))


@given(kind=st.sampled_from(CHECKED), how=st.sampled_from(DAMAGES), seed=st.integers(0, 10**6))
@settings(max_examples=300, deadline=None)
def test_where_the_file_has_checksums_only_the_photo_is_taken(kind: str, how: str, seed: int) -> None:
    found = taken(damaged(FILES[kind], how, seed))
    assert found is None or decibels(found, GOOD[kind]) == 99.0


@given(kind=st.sampled_from(sorted(FILES)), how=st.sampled_from(DAMAGES), seed=st.integers(0, 10**6))
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_refused_with_its_kind_or_always_the_same_picture(
    kind: str, how: str, seed: int
) -> None:
    data = damaged(FILES[kind], how, seed)
    found = taken(data)
    assert found is None or np.array_equal(found, decode(data).pixels)


def test_of_lossy_files_with_damage_few_are_taken_and_wrong() -> None:
    counts: Counter[str] = Counter()
    for kind in LOSSY:
        for seed in range(140):
            data = damaged(FILES[kind], DAMAGES[seed % len(DAMAGES)], seed)
            found = taken(data)
            counts["files"] += 1
            counts["wrong"] += found is not None and decibels(found, GOOD[kind]) < 35
    # Trusting a library's success takes 40 of 100 wrongly.
    assert counts["wrong"] <= 0.1 * counts["files"], counts


@pytest.mark.parametrize("kind", sorted(LOSSY))
@pytest.mark.parametrize("with_end", [False, True])
def test_a_file_whose_second_half_is_zeros_is_refused(kind: str, with_end: bool) -> None:
    data = bytearray(FILES[kind])
    data[len(data) // 2 : len(data) - 2 * with_end] = bytes(len(data) - 2 * with_end - len(data) // 2)
    assert taken(bytes(data)) is None


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_plain_tiff_that_stops_within_a_row_is_refused(bits: int, separate: bool) -> None:
    written = scene(96, 128, bits) | 1
    data = bytearray(
        by_tifffile(written, photometric="rgb", planarconfig="separate" if separate else "contig")
    )
    first = len(data) - written.nbytes  # tifffile writes the pixels last
    torn = first + written.nbytes // 2 + written.nbytes // 96 // 6
    data[torn:] = bytes(len(data) - torn)
    with pytest.raises(PhotoError, match=r"^damaged: its pixels stop within a row"):
        decode(bytes(data))


def test_black_borders_and_corners_are_no_damage() -> None:
    bordered, below, turned = scene(96, 128) | 1, scene(96, 128) | 1, scene(96, 128) | 1
    bordered[:20] = bordered[-20:] = bordered[:, :20] = bordered[:, -20:] = 0
    below[50:] = 0
    turned[np.add.outer(np.arange(96) * 7, np.arange(128)) > 400] = 0
    for pixels in (bordered, below, turned, np.zeros_like(below)):
        assert np.array_equal(decode(by_pillow(pixels, "TIFF")).pixels, pixels)


def test_bytes_put_into_a_plain_tiff_are_seen_by_those_they_push_out() -> None:
    data = by_pillow(scene(96, 128), "TIFF")
    with pytest.raises(PhotoError, match=r"^damaged: 3 bytes at its end belong to no page"):
        decode(data[:5000] + b"abc" + data[5000:])
    assert taken(data + bytes(512)) is not None


def test_a_png_whose_pixels_are_not_those_of_its_streams_checksum_is_refused() -> None:
    pixels = scene(20, 30)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels), 0)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0))
    for body, words in (
        (packed[:900] + bytes([packed[900] ^ 64]) + packed[901:], "damaged"),  # chunk's checksum made to fit
        (packed[:-4] + b"abcd", "damaged"),
        (packed[:-30], "truncated"),
    ):
        with pytest.raises(PhotoError, match=rf"^{words}: "):
            decode(head + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    assert np.array_equal(decode(head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")).pixels, pixels)


def test_each_flipped_byte_of_a_small_png_is_told() -> None:
    data = by_pillow(scene(6, 7), "PNG")
    for place in range(len(data)):
        assert taken(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]) is None


def test_a_jpeg_with_a_zero_in_its_quantisation_is_refused() -> None:
    data = bytearray(FILES["JPEG 4:2:0"])
    data[data.find(b"\xff\xdb") + 10] = 0
    with pytest.raises(PhotoError, match="quantisation table"):
        decode(bytes(data))


@pytest.mark.parametrize("scans", [jpeg.MAX_SCANS + 1, 10_000])
def test_a_small_jpeg_of_many_scans_costs_nothing(scans: int) -> None:
    data = by_pillow(np.full((1500, 2000, 3), 128, np.uint8), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda")) : -2]
    began = time.process_time()
    for read in (header, decode):
        with pytest.raises(PhotoError, match=rf"^unusual: more than {jpeg.MAX_SCANS} scans"):
            read(data[:-2] + last * scans + b"\xff\xd9")
    assert time.process_time() - began < 2


def test_a_large_jpeg_may_have_fewer_scans() -> None:
    data = bytearray(by_pillow(scene(16, 16), "JPEG", progressive=True))
    frame = data.find(b"\xff\xc2")
    struct.pack_into(">HH", data, frame + 5, 20_000, 40_000)
    with pytest.raises(PhotoError, match=r"^unusual: more than 5 scans of 40000 × 20000 px"):
        header(bytes(data))


def test_megabytes_of_fill_bytes_cost_nothing() -> None:
    data = FILES["JPEG 4:2:0"]
    began = time.process_time()
    with pytest.raises(PhotoError, match=r"^unusual: more than 65536 fill bytes"):
        decode(data[:2] + b"\xff" * 30_000_000 + data[2:])
    assert time.process_time() - began < 2
    assert taken(data[:2] + b"\xff" * 500 + data[2:]) is not None


def test_an_animation_with_another_canvas_costs_nothing() -> None:
    frames = [Image.new("RGB", (64, 64), (number, 0, 0)) for number in range(30)]
    data = by_pillow(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    began = time.process_time()
    with pytest.raises(PhotoError, match=r"^unusual: an animation whose first frame does not cover"):
        decode(data[:24] + (12_000 - 1).to_bytes(3, "little") * 2 + data[30:])
    assert time.process_time() - began < 2


def test_more_bytes_than_any_photo_needs_are_refused_by_their_number() -> None:
    with pytest.raises(PhotoError, match=r"^too large: 25 MB, a photo of 1 megapixels takes at most 24 MB"):
        decode(FILES["PNG 8, Pillow"] + bytes(25_000_000), max_megapixels=1)


def test_tiles_that_claim_much_are_refused() -> None:
    stream = io.BytesIO(by_tifffile(scene(32, 32), photometric="rgb", tile=(32, 32), compression="zlib"))
    data = bytearray(stream.getvalue())
    for tag in (322, 323):
        place = data.find(struct.pack("<HH", tag, 4))
        kind = 4
        if place < 0:
            place, kind = data.find(struct.pack("<HH", tag, 3)), 3
        struct.pack_into("<I" if kind == 4 else "<H", data, place + 8, 60_000)
    with pytest.raises(PhotoError, match=r"^damaged: its tiles or strips claim 60000 × 60000 px"):
        decode(bytes(data))


def test_pixels_in_planes_are_the_same_at_each_reading() -> None:
    data = by_tifffile(scene(96, 128, 16), photometric="rgb", planarconfig="separate")
    held = [decode(data).pixels]
    for _ in range(5):
        np.full(400_000, 7, np.uint16)  # memory that a careless reader would show
        held.append(decode(data).pixels)
    assert all(np.array_equal(found, scene(96, 128, 16)) for found in held)


def test_a_cut_anywhere_is_refused() -> None:
    for name, data in FILES.items():
        for share in np.linspace(0.0, 0.999, 40):
            found = taken(data[: int(len(data) * share)])
            assert found is None, (name, share)


def test_a_turned_grey_deep_png_by_opencv_is_still_whole() -> None:
    assert decode(by_opencv(scene(9, 8, 16)[:, :, 0], ".png")).channels == 1
