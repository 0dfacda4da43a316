"""Decoding, the sRGB curve, PNG and JPEG."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from components.core import images
from components.core.errors import PhotoError

COLOUR = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (40, 60, 3), dtype=np.uint16)


def encoded(pixels: np.ndarray, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **settings)
    return stream.getvalue()


def deep(ending: str, pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(ending, pixels[:, :, ::-1] if pixels.ndim == 3 else pixels)[1])


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def huge_png(side: int) -> bytes:
    """A few bytes whose header claims side × side pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("settings", [{"kind": "PNG"}, {"kind": "TIFF"}, {"kind": "WEBP", "lossless": True}])
def test_lossless_files_decode_to_their_pixels(settings: dict[str, object]) -> None:
    picture = images.decode(encoded(COLOUR, **settings))
    assert np.array_equal(picture.pixels, COLOUR)
    assert (picture.channels, picture.bits, picture.format) == (3, 8, settings["kind"])


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_sixteen_bits_survive(ending: str) -> None:
    colour, grey = images.decode(deep(ending, DEEP)), images.decode(deep(ending, DEEP[:, :, 0]))
    assert (colour.bits, colour.channels, grey.bits, grey.channels) == (16, 3, 16, 1)
    assert np.array_equal(colour.pixels, DEEP)
    assert np.array_equal(grey.pixels, np.repeat(DEEP[:, :, :1], 3, axis=2))


def test_sixteen_bit_alpha_is_dropped() -> None:
    with_alpha = np.dstack([DEEP[:, :, ::-1], np.full((40, 60), 7, np.uint16)])
    assert np.array_equal(images.decode(bytes(cv2.imencode(".png", with_alpha)[1])).pixels, DEEP)


def test_grey_is_repeated_and_said_to_be_grey() -> None:
    picture = images.decode(encoded(COLOUR[:, :, 0], "PNG"))
    assert picture.channels == 1
    assert all(np.array_equal(picture.pixels[:, :, channel], COLOUR[:, :, 0]) for channel in range(3))


def test_alpha_is_dropped_not_blended() -> None:
    clear = np.dstack([COLOUR, np.zeros((40, 60), np.uint8)])
    assert np.array_equal(images.decode(encoded(clear, "PNG")).pixels, COLOUR)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    data = encoded(COLOUR, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    head = images.header(data)
    assert np.array_equal(images.decode(data).pixels, expected)
    assert (head.height, head.width) == expected.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_sixteen_bits(orientation: int) -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    plain = deep(".png", DEEP)
    turned = plain[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + plain[33:]  # after IHDR
    assert np.array_equal(images.decode(turned).pixels, images.upright(DEEP, orientation))


def test_orientation_6_turns_the_left_side_up() -> None:
    assert images.upright(np.array([[1, 2], [3, 4]]), 6).tolist() == [[3, 1], [4, 2]]


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "JPEG"},
        {"kind": "JPEG", "progressive": True},
        {"kind": "PNG"},
        {"kind": "WEBP"},
        {"kind": "TIFF"},
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.95])
def test_a_file_cut_short_is_refused(settings: dict[str, object], share: float) -> None:
    data = encoded(COLOUR, **settings)
    with pytest.raises(PhotoError, match=r"^(truncated|damaged): "):
        images.decode(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"dear diary", "no JPEG"),
        (b"\xff\xd8\xff\xe0 not quite", "^(damaged|truncated|not a photo): "),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(PhotoError, match=reason):
        images.decode(data)


def test_a_decompression_bomb_is_refused_unopened() -> None:
    assert images.header(huge_png(60_000)).megapixels == 3600
    with pytest.raises(PhotoError, match="too large: 60000 × 60000 px is 3600 megapixels, at most 200"):
        images.decode(huge_png(60_000))


def test_floats_are_refused() -> None:
    with pytest.raises(PhotoError, match="unusual: 32 bits"):
        images.decode(encoded(COLOUR[:, :, 0].astype(np.float32), "TIFF"))


@given(st.binary(max_size=300))
def test_any_bytes_give_a_picture_or_a_reason(data: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"RIFF\x20\0\0\0WEBP"):
        # PhotoError is the only way out but success.
        with contextlib.suppress(PhotoError):
            assert images.decode(head + data).pixels.shape[2] == 3


@pytest.mark.parametrize(("stored", "light"), [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404), (1.0, 1.0)])
def test_the_srgb_curve_has_the_standards_values(stored: float, light: float) -> None:
    assert images.srgb_to_linear(np.float32([stored]))[0] == pytest.approx(light, abs=1e-5)
    assert images.linear_to_srgb(np.float32([light]))[0] == pytest.approx(stored, abs=1e-5)


def test_the_curve_there_and_back_changes_no_stored_value() -> None:
    for levels in (np.arange(256, dtype=np.uint8), np.arange(65536, dtype=np.uint16)):
        assert np.abs(images.linear_to_srgb(images.linear_of(levels)) - images.to_float(levels)).max() < 2e-6
        assert np.abs(images.linear_of(levels) - images.srgb_to_linear(images.to_float(levels))).max() < 2e-6


def test_the_curves_keep_float32_and_take_negative_light() -> None:
    found = images.linear_to_srgb(np.float32([-0.001, 1.5]))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(-0.01292)
    assert np.isfinite(found).all()


def test_bytes_to_floats_and_back_change_nothing() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(images.to_uint8(images.to_float(levels)), levels)
    assert images.to_float(np.array([65535], np.uint16))[0] == 1.0


def test_png_is_lossless_and_always_the_same_bytes(tmp_path: Path) -> None:
    images.write_png(tmp_path / "a.png", COLOUR)
    assert (
        (tmp_path / "a.png").read_bytes()
        == images.png_bytes(COLOUR.copy())
        == images.png_bytes(np.asfortranarray(COLOUR))
    )
    assert np.array_equal(images.read_rgb(tmp_path / "a.png"), COLOUR)


def test_jpeg_and_webp_hold_no_sixteen_bits() -> None:
    for roundtrip in (images.jpeg_roundtrip, images.webp_roundtrip):
        with pytest.raises(AssertionError, match="JPEG and WebP hold 8 bits, got uint16"):
            roundtrip(np.zeros((4, 4, 3), np.uint16), 90)


def test_reading_a_missing_or_broken_picture_names_it(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x" * 20)
    for name in ("missing.png", "broken.png"):
        with pytest.raises(PhotoError, match=name):
            images.read_rgb(tmp_path / name)


def test_jpeg_loses_more_at_lower_quality() -> None:
    smooth = cv2.GaussianBlur(COLOUR, (0, 0), 3)
    losses = [
        np.abs(images.jpeg_roundtrip(smooth, quality).astype(int) - smooth).mean() for quality in (10, 50, 95)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[2] < 2 < losses[0]


def test_jpeg_keeps_red_red() -> None:
    red = np.full((16, 16, 3), (200, 30, 40), np.uint8)
    assert np.abs(images.jpeg_roundtrip(red, 90).astype(int) - red).max() < 8
