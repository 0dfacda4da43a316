"""`refocus restore`: colours and depth are kept, one bad photo stops no other, and no file that a
person has is touched.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from components.console import cli, commands
from components.console.restore import restore
from components.core.decoding import is_read
from components.core.errors import InputError, PhotoError
from components.nets.generators import SRResNet, UNet
from components.nets.restore import save_generator

SIDE = (48, 40)
ORIENTATION, MAKE, EXIF_IFD, EXPOSURE, WIDTH, HEIGHT = 0x0112, 0x010F, 0x8769, 0x829A, 0xA002, 0xA003


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model that changes nothing before it has learned."""
    net = UNet(width=4, depth=1)
    save_generator(tmp_path / "checkpoint", net, net.build(seed=0).state_dict())
    return str(tmp_path / "checkpoint")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's folder, which is also where they stand."""
    folder = tmp_path / "photos"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def pixels(seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (SIDE[1], SIDE[0], 3), np.uint8)


def write(path: Path, seed: int = 1, **settings: Any) -> Path:
    Image.fromarray(pixels(seed)).save(path, **settings)
    return path


@cache
def profile() -> bytes:
    """A colour profile for RGB that is not the usual one, as a camera would embed."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[4:8] = b"test"  # preferred CMM
    return bytes(made)


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    block[MAKE] = "Camera"
    block.get_ifd(EXIF_IFD).update({EXPOSURE: (1, 250), WIDTH: 6000, HEIGHT: 4000})
    return block.tobytes()


@pytest.mark.parametrize(("ending", "kind"), [(".jpg", "JPEG"), (".png", "PNG"), (".webp", "WEBP")])
def test_profile_exif_and_density_are_kept_and_the_photo_is_turned_once(
    photos: Path, model: str, ending: str, kind: str
) -> None:
    density = {} if kind == "WEBP" else {"dpi": (300, 300)}
    path = write(photos / f"a{ending}", icc_profile=profile(), exif=exif(6), **density)
    (written,) = restore([path], model, photos / "out").files
    with Image.open(written) as made:
        made.load()
        assert made.size == SIDE[::-1]
        assert made.info["icc_profile"] == profile()
        kept = made.getexif()
        assert (kept[ORIENTATION], kept[MAKE]) == (1, "Camera")
        inner = kept.get_ifd(EXIF_IFD)
        assert (inner[EXPOSURE], inner[WIDTH], inner[HEIGHT]) == ((1, 250), *SIDE[::-1])
        if density:
            assert made.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_sixteen_bits_keep_their_depth_and_their_profile(photos: Path, model: str) -> None:
    import cv2

    from components.core.images import png_bytes, read_rgb

    deep = np.arange(40 * 48 * 3, dtype=np.uint16).reshape(40, 48, 3) * 11
    plain = png_bytes(deep)
    (photos / "deep.png").write_bytes(plain[:33] + chunk(b"gAMA", (45455).to_bytes(4, "big")) + plain[33:])
    (written,) = restore([photos / "deep.png"], model, photos / "out").files
    assert read_rgb(written).dtype == np.uint16
    assert b"gAMA" in written.read_bytes()[:100]
    assert cv2.imread(str(written), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def chunk(name: bytes, body: bytes) -> bytes:
    import struct
    import zlib

    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_a_profile_for_ink_is_not_put_on_rgb_and_that_is_said(
    photos: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ink = profile()[:16] + b"CMYK" + profile()[20:]
    Image.fromarray(pixels()).convert("CMYK").save(photos / "ink.jpg", icc_profile=ink)
    (written,) = restore([photos / "ink.jpg"], model, photos / "out").files
    with Image.open(written) as made:
        assert "icc_profile" not in made.info
    assert "ink.jpg: its colour profile is for CMYK" in capsys.readouterr().err


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_a_broken_exif_block_is_left_out(block: bytes) -> None:
    from components.core.encoding.exif import exif_of_restored

    assert exif_of_restored(block, width=1, height=1) is None


def test_a_print_of_an_enlarged_photo_keeps_its_size(photos: Path, tmp_path: Path) -> None:
    net = SRResNet(width=4, blocks=1)
    save_generator(tmp_path / "larger", net, net.build(seed=0).state_dict())
    (written,) = restore(
        [write(photos / "a.jpg", dpi=(100, 100))], str(tmp_path / "larger"), photos / "out"
    ).files
    with Image.open(written) as made:
        assert made.info["dpi"] == pytest.approx((400, 400), abs=0.01)
        assert made.size == (4 * SIDE[0], 4 * SIDE[1])


def test_no_photo_that_lies_there_is_replaced(photos: Path, model: str) -> None:
    keep = write(photos / "keep.png", 2).read_bytes()
    write(photos / "keep.jpg")
    words = ["restore", "keep.jpg", "--model", model, "--out", "."]
    with pytest.raises(InputError, match=r"keep\.png would be replaced, and was not made .*--overwrite"):
        commands.run(words)
    assert (photos / "keep.png").read_bytes() == keep
    assert commands.run([*words, "--overwrite"]) == 0
    made = (photos / "keep.png").read_bytes()
    assert made != keep
    assert commands.run(words) == 0, "its own file is made anew"
    retouched = write(photos / "keep.png", 3).read_bytes()
    with pytest.raises(InputError, match="or changed since"):
        commands.run(words)
    assert (photos / "keep.png").read_bytes() == retouched


def test_a_photo_is_never_replaced_by_its_own_restored_version(photos: Path, model: str) -> None:
    before = write(photos / "a.png").read_bytes()
    for more in ([], ["--overwrite"]):
        with pytest.raises(InputError, match=r"a\.png would be overwritten by a restored version"):
            commands.run(["restore", "a.png", "--model", model, "--out", ".", *more])
    assert (photos / "a.png").read_bytes() == before


def test_two_names_that_some_systems_take_for_one_are_refused(photos: Path, model: str) -> None:
    for one, other in (("A.jpg", "a.jpg"), ("gru\u0308n.jpg", "gr\u00fcn.jpg"), ("b.jpg", "b.webp")):
        paths = [write(photos / name) for name in (one, other)]
        with pytest.raises(InputError, match="two of the photos would both become"):
            restore(paths, model, photos / "out")


def bad_ones(folder: Path) -> dict[str, str]:
    """Photos that cannot be restored, and what is said of them."""
    whole = write(folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("Dear diary")
    (folder / "empty.png").touch()
    (folder / "folder.jpg").mkdir()
    (folder / "link.jpg").symlink_to(folder / "nowhere.jpg")
    return {
        "cut.jpg": "truncated",
        "text.jpg": "not a photo",
        "empty.png": "the file is empty",
        "folder.jpg": "is a folder",
        "link.jpg": "no photo at",
        "gone.jpg": "no photo at",
    }


def test_one_bad_photo_stops_no_other(photos: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad = bad_ones(photos)
    for name, said in bad.items():
        out = photos / f"out of {name}"
        code = commands.run(["restore", name, "whole.jpg", "--model", model, "--out", str(out)])
        printed = capsys.readouterr()
        assert code == 1, "a script must be able to tell"
        assert printed.out == f"{out / 'whole.png'}\n"
        assert "1 of 2 photos could not be restored: " in printed.err
        assert name in printed.err
        assert said in printed.err
    everything = [*bad, "whole.jpg"]
    assert commands.run(["restore", *everything, "--model", model, "--out", "all"]) == 1
    assert "6 of 7 photos could not be restored" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".webp", ".png", ".avif"])
def test_of_an_animation_the_first_picture_is_restored_and_that_is_said(
    ending: str, photos: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if ending == ".avif" and not is_read("AVIF"):
        pytest.skip("Pillow has no AVIF here")
    shown = [Image.new("RGB", (40, 30), (60 * number, 90, 90)) for number in range(3)]
    for count, name in ((3, "moving"), (1, "still")):
        shown[0].save(photos / f"{name}{ending}", save_all=True, append_images=shown[1:count])
    made = restore([photos / f"{name}{ending}" for name in ("moving", "still")], model, photos / "out")
    assert (len(made.files), made.left_out) == (2, 0)
    told = capsys.readouterr().err
    assert f"moving{ending}: an animation, of which the first picture alone is restored" in told
    assert f"still{ending}: an animation" not in told


def test_where_no_photo_is_left_that_is_an_error(photos: Path, model: str) -> None:
    bad = bad_ones(photos)
    with pytest.raises(PhotoError, match=r"cut\.jpg: truncated.*text\.jpg: not a photo.*and 1 more"):
        restore([Path(name) for name in bad], model, photos / "out")
    assert not (photos / "out").exists()


@pytest.mark.parametrize("name", ["-weird.jpg", "-1.jpg", "--dash.jpg"])
def test_a_name_that_begins_with_a_dash_is_told_how_to_be_given(photos: Path, model: str, name: str) -> None:
    write(photos / name)
    with pytest.raises(
        InputError, match=rf"If {name} is a file: .*a lone --, as in `-- {name}`, or as \./{name}"
    ):
        commands.run(["restore", name, "--model", model, "--out", "out"])
    assert commands.run(["restore", "--model", model, "--out", "out", "--", name]) == 0
    assert commands.run(["restore", f"./{name}", "--model", model, "--out", "again"]) == 0
    assert (photos / "out" / name.replace(".jpg", ".png")).is_file()


@pytest.mark.usefixtures("obeys_permissions")
def test_a_photo_that_may_not_be_read_stops_no_other(
    photos: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(photos / "a.jpg").chmod(0)
    (written,) = restore([photos / "a.jpg", write(photos / "b.jpg")], model, photos / "out").files
    assert written.name == "b.png"
    assert "a.jpg: unreadable: Permission denied" in capsys.readouterr().err


def test_the_model_that_cannot_be_had_is_told_beside_the_photos(photos: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(pixels()).save(data, "PNG")
    (photos / "good.png").write_bytes(data.getvalue())
    with pytest.raises(InputError, match=r"neither a folder nor NAME@ALIAS.*gone\.jpg"):
        restore([photos / "gone.jpg", photos / "good.png"], "nothing", photos / "out")


@pytest.mark.parametrize(
    "name",
    [
        b"b\xff\xfe.png",
        b"a\nb.png",
        b" blank .png",
        b"'quote\".png",
        "Gru\u0308n \u202e.png".encode(),
        b"*?.png",
    ],
)
def test_a_photo_of_any_name_is_restored_and_known_the_next_time(
    name: bytes, model: str, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = write(photos / os.fsdecode(name))
    for _ in range(2):
        words = ["restore", "--model", model, "--out", str(tmp_path / "out"), "--", str(photo)]
        assert cli.main(words) == 0
    assert "1 of 1 photos were restored before" in capfd.readouterr().err
    assert (tmp_path / "out" / os.fsdecode(name)).is_file()


@pytest.mark.parametrize("place", ["loop", "loop/below"])
def test_a_folder_that_is_a_circle_of_links_is_told(
    place: str, model: str, photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "loop").symlink_to("loop")
    photo = write(photos / "a.png")
    assert cli.main(["restore", "--model", model, "--out", place, str(photo)]) == 2
    assert "go round in a circle" in capfd.readouterr().err
