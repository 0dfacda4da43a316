"""Every layout of every format decodes to its pixels, held against files of independent writers."""

from __future__ import annotations

import io
import itertools
import struct

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import LOSSLESS, LOSSY, by_opencv, by_pillow, by_tifffile, chunk, png_by_hand, scene
from PIL import Image

from components.core.decoding import decode, header
from components.core.errors import PhotoError

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))


def by_pillows_reading(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA").convert("RGB") if image.mode == "P" else image.convert("RGB"))


@given(kind=st.sampled_from(sorted(LOSSLESS)), size=SIZES, seed=st.integers(0, 9))
@settings(max_examples=120, deadline=None)
def test_a_lossless_file_is_its_pixels_whatever_its_layout_and_size(
    kind: str, size: tuple[int, int], seed: int
) -> None:
    bits, write = LOSSLESS[kind]
    pixels = scene(*size, bits, seed)
    data = write(pixels)
    picture = decode(data)
    assert (picture.bits, picture.channels, picture.format) == (bits, 3, kind.split()[0].upper())
    assert np.array_equal(picture.pixels, pixels)
    assert (header(data).height, header(data).width) == size


@given(kind=st.sampled_from(sorted(LOSSY)), size=SIZES, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_lossy_file_is_what_another_reader_makes_of_it(kind: str, size: tuple[int, int], seed: int) -> None:
    data = LOSSY[kind](scene(*size, seed=seed))
    assert np.array_equal(decode(data).pixels, by_pillows_reading(data))


@given(
    size=SIZES,
    bits=st.sampled_from([8, 16]),
    channels=st.sampled_from([1, 2, 3, 4]),
    separate=st.booleans(),
    tile=st.sampled_from([None, (16, 16), (32, 64)]),
    packing=st.sampled_from([None, "lzw", "zlib", "packbits", "zstd", "lzma"]),
    predictor=st.booleans(),
    order=st.sampled_from("<>"),
    big=st.booleans(),
    rows=st.sampled_from([None, 1, 7]),
)
@settings(max_examples=250, deadline=None)
def test_a_tiff_is_its_pixels_in_any_layout(
    size: tuple[int, int],
    bits: int,
    channels: int,
    separate: bool,
    tile: tuple[int, int] | None,
    packing: str | None,
    predictor: bool,
    order: str,
    big: bool,
    rows: int | None,
) -> None:
    colour = scene(*size, bits)
    grey = channels < 3
    pixels = np.dstack([colour[:, :, : 1 if grey else 3], colour[:, :, :1]][: 1 + (channels in (2, 4))])
    settings_: dict[str, object] = {
        "photometric": "minisblack" if grey else "rgb",
        "byteorder": order,
        "bigtiff": big,
        "compression": packing,
    }
    settings_["predictor"] = predictor if packing in ("lzw", "zlib", "zstd", "lzma") else None
    settings_ |= {"tile": tile} if tile else {"rowsperstrip": rows}
    if channels > 1:
        settings_["planarconfig"] = "separate" if separate else "contig"
    if channels in (2, 4):
        settings_["extrasamples"] = ["unassalpha"]
    picture = decode(by_tifffile(pixels if channels > 1 else pixels[:, :, 0], **settings_))
    assert (picture.bits, picture.channels) == (bits, 1 if grey else 3)
    assert np.array_equal(picture.pixels, np.repeat(pixels[:, :, :1], 3, axis=2) if grey else colour)


@pytest.mark.parametrize("packing", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_each_of_pillows_tiffs_keeps_its_colours(mode: str, packing: str | None) -> None:
    data = by_pillow(Image.fromarray(scene(37, 53)).convert(mode), "TIFF", compression=packing)
    assert np.array_equal(decode(data).pixels, by_pillows_reading(data))


@pytest.mark.parametrize(
    ("photometric", "pieces"),
    [
        *itertools.product(["rgb", "ycbcr"], [{}, {"tile": (32, 32)}, {"rowsperstrip": 16}]),
        ("rgb", {"planarconfig": "separate"}),
    ],
    ids=str,
)
def test_a_tiff_of_jpegs_is_what_two_other_readers_make_of_it(
    photometric: str, pieces: dict[str, object]
) -> None:
    data = by_tifffile(scene(97, 131), photometric=photometric, compression="jpeg", **pieces)
    found = decode(data).pixels
    other = tifffile.imread(io.BytesIO(data))
    assert np.array_equal(found, np.moveaxis(other, 0, 2) if "planarconfig" in pieces else other)
    assert np.array_equal(found, by_pillows_reading(data))


@pytest.mark.parametrize("padding", [1, 3])
def test_a_strip_filled_up_to_a_word_is_whole(padding: int) -> None:
    pixels = scene(20, 31)[:, :, 0]
    data = by_tifffile(pixels, photometric="minisblack") + bytes(padding)
    entry = struct.pack("<HHII", 279, 4, 1, pixels.size)
    assert entry in data
    padded = data.replace(entry, struct.pack("<HHII", 279, 4, 1, pixels.size + padding))
    assert np.array_equal(decode(padded).pixels[:, :, 0], pixels)


@pytest.mark.parametrize("packing", ["jpeg", "tiff_deflate"])
def test_a_grey_tiff_is_grey(packing: str) -> None:
    picture = decode(by_pillow(scene(40, 50)[:, :, 0], "TIFF", compression=packing))
    assert picture.channels == 1


def test_white_may_be_zero() -> None:
    for bits in (8, 16):
        grey = scene(20, 30, bits)[:, :, 0]
        picture = decode(by_tifffile(grey, photometric="miniswhite"))
        assert np.array_equal(picture.pixels[:, :, 1], np.iinfo(grey.dtype).max - grey)


def test_colour_multiplied_by_alpha_is_divided_again() -> None:
    colour, alpha = scene(20, 30, 16) | 1, np.full((20, 30), 30_000, np.uint16)
    stored = np.dstack([(colour.astype(np.uint64) * 30_000 // 65535).astype(np.uint16), alpha])
    found = decode(by_tifffile(stored, photometric="rgb", extrasamples=["assocalpha"])).pixels
    assert np.abs(found.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("separate", [False, True])
def test_inks_of_sixteen_bits_are_those_of_eight(separate: bool) -> None:
    inks = np.random.default_rng(3).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    deep = decode(
        by_tifffile(
            inks.astype(np.uint16) * 257,
            photometric="separated",
            planarconfig="separate" if separate else "contig",
        )
    )
    eight = by_pillows_reading(by_pillow(Image.fromarray(inks, "CMYK"), "TIFF"))
    assert deep.bits == 16
    assert np.abs(deep.pixels / 257 - eight).max() <= 0.51


def test_grey_with_alpha_of_sixteen_bits_is_read() -> None:
    grey = scene(20, 30, 16)[:, :, :1]
    with_alpha = np.dstack([grey, np.full_like(grey, 9)])
    picture = decode(
        by_tifffile(with_alpha, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    )
    assert (picture.bits, picture.channels) == (16, 1)
    assert np.array_equal(picture.pixels, np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("colours", "depth"),
    [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 1),
        (3, 2),
        (3, 4),
        (3, 8),
        (4, 8),
        (4, 16),
        (6, 8),
        (6, 16),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (21, 34)])
def test_each_of_pngs_kinds_is_its_pixels(
    colours: int, depth: int, interlaced: bool, size: tuple[int, int]
) -> None:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    samples = np.random.default_rng(4).integers(0, 2**depth, (*size, channels)).astype(np.uint16)
    palette = np.random.default_rng(5).integers(0, 256, (2**depth if colours == 3 else 1, 3), dtype=np.uint8)
    more = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", b"\0") if colours == 3 else b""
    picture = decode(png_by_hand(samples, colours, depth, interlaced=interlaced, more=more))
    if colours == 3:
        expected = palette[samples[:, :, 0]]
    else:
        expected = samples if channels > 2 else np.repeat(samples[:, :, :1], 3, axis=2)
        expected = expected[:, :, :3] * (255 // (2**depth - 1) if depth < 8 else 1)
    assert (picture.channels, picture.bits) == (1 if colours in (0, 4) else 3, 16 if depth == 16 else 8)
    assert np.array_equal(picture.pixels, expected)


def test_transparent_colour_and_palette_keep_their_colours() -> None:
    data = by_pillow(Image.fromarray(scene(30, 40)).quantize(16), "PNG", transparency=3)
    assert np.array_equal(decode(data).pixels, by_pillows_reading(data))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_grey_or_inks_is_what_another_reader_makes_of_it(mode: str, progressive: bool) -> None:
    data = by_pillow(Image.fromarray(scene(45, 61)).convert(mode), "JPEG", progressive=progressive)
    picture = decode(data)
    assert picture.channels == (1 if mode == "L" else 3)
    assert np.array_equal(picture.pixels, by_pillows_reading(data))


def test_a_phones_second_view_behind_the_photo_is_no_damage() -> None:
    first, second = Image.fromarray(scene(40, 50)), Image.fromarray(scene(40, 50, seed=1))
    data = by_pillow(first, "MPO", save_all=True, append_images=[second])
    assert decode(data).format == "JPEG"
    assert np.array_equal(decode(data).pixels, by_pillows_reading(data))


def test_an_animations_first_frame_is_the_photo_where_it_covers_all() -> None:
    frames = [Image.fromarray(scene(40, 50, seed=seed)) for seed in range(3)]
    data = by_pillow(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(decode(data).pixels, np.asarray(frames[0]))


def test_alpha_of_a_webp_is_dropped() -> None:
    pixels = np.dstack([scene(40, 50), np.full((40, 50), 200, np.uint8)])
    for settings_ in ({"lossless": True}, {"quality": 80}):
        data = by_pillow(pixels, "WEBP", exact=True, **settings_)
        assert np.array_equal(decode(data).pixels, by_pillows_reading(data))


@pytest.mark.parametrize("below", [False, True])
def test_a_page_marked_as_a_preview_is_not_the_photo(below: bool) -> None:
    photo, preview = scene(60, 80), scene(15, 20)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(preview, photometric="rgb", subfiletype=1, subifds=1 if below else 0)
        writer.write(photo, photometric="rgb", subfiletype=0)
    assert np.array_equal(decode(stream.getvalue()).pixels, photo)
    assert header(stream.getvalue()).width == 80


def test_of_pages_that_differ_in_size_nobody_chooses() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(scene(15, 20), photometric="rgb")
        writer.write(scene(60, 80), photometric="rgb")
    with pytest.raises(PhotoError, match=r"^unusual: a TIFF with several pages, the first not the largest"):
        decode(stream.getvalue())


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"data": np.zeros((8, 8), np.float32)}, "unusual: 32 bits a channel as floats"),
        ({"data": np.zeros((8, 8), np.int16)}, "unusual: 16 bits a channel as signed"),
        ({"data": np.zeros((8, 8), np.uint32)}, "unusual: 32 bits a channel, 8 and 16"),
        (
            {"data": np.zeros((8, 8, 3), np.uint8), "photometric": "cielab"},
            "unusual: a TIFF whose pixels are CIE L",
        ),
        (
            {"data": np.zeros((8, 8), np.uint8), "photometric": "cfa"},
            "unusual: a TIFF whose pixels are a raw colour filter array",
        ),
    ],
)
def test_a_tiff_of_a_kind_not_read_says_which(settings_: dict[str, object], words: str) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, **settings_)
    with pytest.raises(PhotoError, match=f"^{words}"):
        decode(stream.getvalue())


def test_megabytes_of_text_are_no_damage() -> None:
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a" * 3_000_000, zip=True)
    text.add_itxt("More", "b" * 3_000_000, zip=True)
    pixels = scene(30, 40)
    assert np.array_equal(decode(by_pillow(pixels, "PNG", pnginfo=text)).pixels, pixels)


def test_the_content_decides_not_the_name() -> None:
    assert header(by_pillow(scene(9, 9), "WEBP")).format == "WEBP"
    assert struct.unpack_from("<I", by_opencv(scene(9, 9), ".tiff"), 0)[0] == 0x2A4949
    assert header(by_opencv(scene(9, 9), ".tiff")).format == "TIFF"
    assert cv2.imdecode(np.frombuffer(by_opencv(scene(9, 9), ".png"), np.uint8), -1) is not None
