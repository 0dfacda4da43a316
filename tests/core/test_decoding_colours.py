"""Whichever way a file says its colours, the restored photo says the same: by a profile, held against Little
CMS, which reads it as viewers do.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from photo_files import by_pillow, by_tifffile, chunk, scene
from PIL import Image, ImageCms

from components.core.decoding import decode
from components.core.decoding.colours import ADOBE, SRGB
from components.core.encoding import FORMATS, Format, encoded

P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
Curve = Callable[[np.ndarray], np.ndarray]


def power(gamma: float) -> Curve:
    return lambda values: values**gamma


def srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_matrix(points: tuple[float, ...]) -> np.ndarray:
    """Linear light of these primaries to linear sRGB, both with the white of daylight."""

    def to_xyz(values: tuple[float, ...]) -> np.ndarray:
        white, *corners = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in np.reshape(values, (4, 2))]
        columns = np.stack(corners, axis=1)
        return columns * np.linalg.solve(columns, white)

    return np.linalg.inv(to_xyz(SRGB)) @ to_xyz(points)


def shown(icc: bytes, values: np.ndarray) -> np.ndarray:
    """What a viewer shows on an sRGB screen, (N, 3) uint8."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    change = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB", renderingIntent=1)
    found = ImageCms.applyTransform(Image.fromarray(values[None]), change)
    assert found is not None
    return np.asarray(found)[0]


def expected(points: tuple[float, ...], curve: Curve, values: np.ndarray) -> np.ndarray:
    light = curve(values / 255.0) @ srgb_matrix(points).T
    light = np.clip(light, 0, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(coded * 255).astype(np.uint8)


def png_with(*chunks: bytes) -> bytes:
    plain = by_pillow(scene(20, 30), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def gama(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def chrm(points: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 1e5) for value in points)))


def exif(space: int, index: bytes) -> bytes:
    """A camera's block: colour space, and the index of its interoperability directory."""
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    inner = struct.pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, space, 0, 0xA005, 4, 1, 56, 0)
    last = struct.pack("<HHHI4sI", 1, 1, 2, 4, index, 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + inner + last


def grey_profile(curve: bytes, version: int = 2) -> bytes:
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    rows = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, len(curve))
    head = struct.pack(
        ">I4xI4s4s4s12x4s", 176 + len(curve), version << 24, b"mntr", b"GRAY", b"XYZ ", b"acsp"
    )
    return head.ljust(128, b"\0") + rows + white + curve


def curv(*values: int) -> bytes:
    return struct.pack(f">4s4xI{len(values)}H", b"curv", len(values), *values)


def para(kind: int, *values: float) -> bytes:
    return struct.pack(
        f">4s4xHH{len(values)}i", b"para", kind, 0, *(round(value * 65536) for value in values)
    )


SAID: dict[str, tuple[bytes, tuple[float, ...], Curve]] = {
    "gAMA, linear": (png_with(gama(100_000)), SRGB, power(1.0)),
    "gAMA of 1.8": (png_with(gama(55_556)), SRGB, power(1.8)),
    "cHRM of P3": (png_with(gama(45_455), chrm(P3)), P3, srgb),
    "cHRM alone": (png_with(chrm(ADOBE)), ADOBE, srgb),
    "cICP of P3, before the others": (
        png_with(chunk(b"cICP", b"\x0c\x0d\0\1"), chunk(b"sRGB", b"\0"), gama(45_455)),
        P3,
        srgb,
    ),
    "cICP, linear": (png_with(chunk(b"cICP", b"\1\x08\0\1")), SRGB, power(1.0)),
    "a camera's R03": (
        by_pillow(scene(20, 30), "JPEG", exif=exif(0xFFFF, b"R03\0")),
        ADOBE,
        power(563 / 256),
    ),
    "a camera's 2": (by_pillow(scene(20, 30), "JPEG", exif=exif(2, b"R98\0")), ADOBE, power(563 / 256)),
}
GREY: dict[str, tuple[bytes, Curve]] = {
    "power": (curv(round(2.2 * 256)), power(round(2.2 * 256) / 256)),
    "none": (curv(), power(1.0)),
    "table": (curv(0, 16384, 65535), lambda values: np.interp(values, [0, 0.5, 1], [0, 16384 / 65535, 1])),
    "formula 0": (para(0, 1.8), power(1.8)),
    "formula 3, sRGB's": (para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), srgb),
}
STEPS = np.array(
    [[0, 0, 0], [255, 255, 255], [128, 128, 128], [200, 60, 40], [30, 180, 90], [60, 70, 220]], np.uint8
)


@pytest.mark.parametrize("said", sorted(SAID))
@pytest.mark.parametrize("form", FORMATS)
def test_colours_that_are_said_without_a_profile_are_kept_in_every_format(said: str, form: Format) -> None:
    data, points, curve = SAID[said]
    picture = decode(data)
    assert picture.metadata.icc is not None
    assert np.abs(shown(picture.metadata.icc, STEPS).astype(int) - expected(points, curve, STEPS)).max() <= 1
    written = encoded(form, picture.pixels, original=data, metadata=picture.metadata)
    if form == "png" and data.startswith(b"\x89PNG"):
        assert b"iCCP" not in written
        assert all(name in written for name in (b"cICP", b"gAMA", b"cHRM") if name in data)
    with Image.open(io.BytesIO(written)) as made:
        assert b"iCCP" not in written or made.info["icc_profile"] == picture.metadata.icc
    assert decode(written).metadata.icc == picture.metadata.icc


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", sorted(GREY))
def test_a_profile_for_grey_becomes_one_for_the_three_colours_of_the_restored_photo(
    name: str, form: Format
) -> None:
    tag, curve = GREY[name]
    icc = grey_profile(tag, 4 if tag.startswith(b"para") else 2)
    data = by_pillow(scene(20, 30)[:, :, 0], "JPEG", icc_profile=icc)
    picture = decode(data)
    kept = decode(encoded(form, picture.pixels, original=data, metadata=picture.metadata)).metadata.icc
    assert kept is not None
    greys = np.repeat(np.arange(0, 256, 15, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.abs(shown(kept, greys).astype(int) - expected(SRGB, curve, greys)).max() <= 1


@pytest.mark.parametrize(
    "data",
    [
        png_with(),
        png_with(chunk(b"sRGB", b"\0"), gama(100_000)),
        png_with(gama(45_455), chrm(SRGB)),
        png_with(chunk(b"cICP", b"\x09\x10\0\1")),  # PQ
        png_with(gama(0)),
        png_with(chrm((0.0,) * 8)),
        png_with(chrm((0.3, 0.3) * 4)),
        by_pillow(scene(20, 30), "JPEG", exif=exif(1, b"R98\0")),
        by_pillow(scene(20, 30), "JPEG", exif=exif(0xFFFF, b"R98\0")),
        by_pillow(scene(20, 30), "JPEG", exif=exif(0xFFFF, b"R03\0")[:40]),
    ],
)
def test_where_nothing_else_is_said_a_photo_has_no_profile(data: bytes) -> None:
    assert decode(data).metadata.icc is None


@pytest.mark.parametrize("icc", [b"", b"x" * 40, grey_profile(b"curv"), grey_profile(curv(1))[:150]])
def test_a_broken_profile_stands_in_nobodys_way(icc: bytes) -> None:
    pixels = scene(20, 30)[:, :, 0]
    picture = decode(by_tifffile(pixels, photometric="minisblack", iccprofile=icc or None))
    for form in FORMATS:
        encoded(form, picture.pixels, metadata=picture.metadata)
