"""Beside the pixels: colour profile, EXIF with its orientation undone once, density; and the
formats that need a library.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from photo_files import by_pillow, by_tifffile, chunk, png_by_hand, scene
from PIL import Image, ImageCms, ImageOps, features
from PIL.TiffImagePlugin import IFDRational

from components.core.decoding import Metadata, decode, header, heif
from components.core.decoding.metadata import ORIENTATION, exif_upright
from components.core.errors import PhotoError

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MAKE, ARTIST, EXIF, EXPOSURE = 271, 315, 34665, 33434


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE], exif[ARTIST] = orientation, "Maker", "Somebody"
    return exif


def read(block: bytes | None) -> dict[int, object]:
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    return dict(exif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_profile_and_exif_are_kept_and_the_orientation_is_undone_once(kind: str, orientation: int) -> None:
    data = by_pillow(scene(20, 30), kind, exif=exif_of(orientation), icc_profile=PROFILE)
    picture = decode(data)
    assert picture.metadata.icc == PROFILE
    kept = read(picture.metadata.exif)
    assert kept[MAKE] == "Maker"
    assert kept[ARTIST] == "Somebody"
    assert kept.get(ORIENTATION, 1) == 1
    # What a writer makes of it shows as it should, once.
    again = by_pillow(picture.pixels, "PNG", exif=picture.metadata.exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(again)))
    assert np.array_equal(np.asarray(shown), picture.pixels)


@pytest.mark.parametrize("big", [False, True])
def test_a_tiffs_own_directories_about_the_photo_are_kept(big: bool) -> None:
    exif = exif_of(1)
    exif.get_ifd(EXIF)[EXPOSURE] = IFDRational(1, 250)
    exif[EXIF] = exif.get_ifd(EXIF)
    data = by_pillow(scene(20, 30), "TIFF", exif=exif, big_tiff=big)
    picture = decode(data)
    kept = Image.open(io.BytesIO(by_pillow(picture.pixels, "PNG", exif=picture.metadata.exif))).getexif()
    assert (kept[MAKE], kept[ARTIST]) == ("Maker", "Somebody")
    assert kept.get_ifd(EXIF) == {EXPOSURE: IFDRational(1, 250)}
    assert set(kept) <= {MAKE, ARTIST, EXIF}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_density_is_kept(kind: str) -> None:
    density = decode(by_pillow(scene(20, 30), kind, dpi=(300, 240))).metadata.density
    assert density == pytest.approx((300, 240), abs=0.02)


def test_a_large_profile_in_several_segments_is_put_together() -> None:
    profile = PROFILE + bytes(range(256)) * 600
    assert decode(by_pillow(scene(20, 30), "JPEG", icc_profile=profile)).metadata.icc == profile


def test_a_plain_file_has_none_of_it() -> None:
    assert decode(by_pillow(scene(9, 9), "PNG")).metadata == Metadata()
    assert decode(by_tifffile(scene(9, 9, 16), photometric="rgb", software=False)).metadata.icc is None


def test_imagemagicks_profile_in_text_turns_a_png() -> None:
    block = exif_of(6).tobytes()
    text = b"Raw profile type exif\0\nexif\n" + f"{len(block):8}\n".encode() + block.hex().encode()
    pixels = scene(20, 30)
    data = png_by_hand(pixels, 2, 8, interlaced=False, more=chunk(b"tEXt", text))
    assert np.array_equal(decode(data).pixels, np.rot90(pixels, -1))


def test_xmp_tells_the_orientation_where_exif_does_not() -> None:
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = by_pillow(scene(20, 30), "JPEG", xmp=packet)
    assert (header(data).width, header(data).height) == (20, 30)
    assert exif_upright(exif_of(3).tobytes(), packet)[0] == 3


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09", b"nonsense"]
)
def test_a_broken_exif_block_means_upright(block: bytes) -> None:
    assert exif_upright(block)[0] == 1


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
@pytest.mark.parametrize("orientation", [1, 6])
def test_an_avif_is_read(orientation: int) -> None:
    pixels = scene(48, 64)
    data = by_pillow(pixels, "AVIF", quality=90, exif=exif_of(orientation))
    picture = decode(data)
    expected = pixels if orientation == 1 else np.rot90(pixels, -1)
    assert (picture.format, picture.bits, picture.channels) == ("AVIF", 8, 3)
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 4
    for length in (len(data) // 2, len(data) - 1):
        with pytest.raises(PhotoError, match=r"^(truncated|damaged): "):
            decode(data[:length])


# 64 × 48 px, red rising to the right, green downwards, blue 90; written by libheif and x265.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAVcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFz"
    "wIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAA"
    "Av////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAV9tZGF0AAABUygBrwT4cdV9SujY"
    "WNY0N3D2inPiEUnWQC+avMHtpkUhe5SoHhj/TsWfujvH8YPxTfuskh+YWR1yYEszJsKZlbRYsZKSEN5mnIoGmc6YvB2Keb36"
    "ZO+ul8DW+7XU9QtTRfzJSXey1ggio7BhtC0q6vGh2JrG7c1z7XVLew9uuduBpfNL902wg176z9SEj/k3PMFjESS1+Td7AJwb"
    "ldd4WKJAPWcAEBHqj0vUvXc00DtZLvdj+3pyHHzY4Vl/j445cqEBZplVOeeudZfVO4e51A+O3lZYSx8OA2hcKuU4g8Fc+P5S"
    "+ThY4Ci7GmwOvvi1w2CLAZrC6do2DQ6kdDGF3qvxaJxwkjgSosGwoNJ/f9nOXibRlbHXr4OuXuo27Jufu/gwn0UwUfvH+ELK"
    "1AAlRyco736X8F3uDuHt+tzPviD0Wx6ZjjzzCyINXeG63X83Bj1E2A=="
)


def test_a_heic_is_read_where_a_library_for_it_is() -> None:
    pytest.importorskip("pi_heif")
    picture = decode(HEIC)
    rising = np.linspace(30, 220, 64)
    assert (picture.format, picture.bits, picture.pixels.shape) == ("HEIC", 8, (48, 64, 3))
    assert np.abs(picture.pixels[:, :, 0].mean(axis=0) - rising).max() < 12
    assert np.abs(picture.pixels[:, :, 1].mean(axis=1) - rising[:48]).max() < 12
    for length in (len(HEIC) // 2, len(HEIC) - 1):
        with pytest.raises(PhotoError, match=r"^(truncated|damaged): "):
            decode(HEIC[:length])


def test_a_heic_without_a_library_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "HEIC_LIBRARIES", ("a_library_that_is_not_there",))
    for read_ in (decode, header):
        with pytest.raises(PhotoError, match=r"^unusual: a HEIC.*pip install pi-heif"):
            read_(HEIC)
