"""`refocus restore` over folders, patterns and prefixes, in every format, again, and with each model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.console import commands
from components.console.photo_places import PhotoPlace
from components.core.decoding import decode
from components.core.delivery import Delivery
from components.core.encoding import FORMATS, encoded
from components.core.errors import InputError, PhotoError
from components.nets.generators import UNet
from components.nets.restore import save_generator
from components.services import storage


@pytest.fixture
def model(tmp_path: Path) -> str:
    net = UNet(width=4, depth=1)
    save_generator(tmp_path / "checkpoint", net, net.build(seed=0).state_dict())
    return str(tmp_path / "checkpoint")


def pixels(seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as people have them; the person stands beside it."""
    folder = tmp_path / "here" / "album"
    (folder / "day 2").mkdir(parents=True)
    for seed, name in enumerate(("a.jpg", "b.png", "b.jpg", "day 2/c.webp")):
        Image.fromarray(pixels(seed)).save(folder / name)
    (folder / "deep.tif").write_bytes(encoded("tiff", pixels(9).astype(np.uint16) * 200))
    (folder / "notes.txt").write_text("Dear diary")
    (folder / ".hidden.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "here")
    return folder


def names(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith("."))


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_comes_back_as_it_is_laid_out_in_each_format(
    album: Path, model: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(["restore", "album", "--model", model, "--out", "out", "--format", form]) == 0
    ending = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}[form]
    wanted = ["a", "b.jpg", "b.png", "day 2/c", "deep"]
    assert names(Path("out")) == [name + ending for name in wanted]
    assert "1 file is no photo: notes.txt" in capsys.readouterr().err
    deep = decode((Path("out") / f"deep{ending}").read_bytes()).pixels
    assert deep.dtype == (np.uint16 if form in ("png", "tiff") else np.uint8)


@pytest.mark.parametrize("form", FORMATS)
def test_only_what_is_left_is_done_and_by_another_model_all_is_done_again(
    album: Path, model: str, form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["restore", "album", "--out", "out", "--format", form, "--model"]
    assert commands.run([*words, model]) == 0
    times = {name: (Path("out") / name).stat().st_mtime_ns for name in names(Path("out"))}
    Image.fromarray(pixels(20)).save(album / "new.png")
    Image.fromarray(pixels(21)).save(album / "a.jpg")  # another photo of that name
    assert commands.run([*words, model]) == 0
    assert "4 of 6 photos were restored before" in capsys.readouterr().err
    again = {name for name, time in times.items() if (Path("out") / name).stat().st_mtime_ns != time}
    assert {name.split(".")[0] for name in again} == {"a"}

    net = UNet(width=4, depth=1)
    save_generator(tmp_path / "other", net, net.build(seed=1).state_dict())
    assert commands.run([*words, str(tmp_path / "other")]) == 0
    assert "restored before" not in capsys.readouterr().err


def test_photos_are_restored_again_in_another_precision_and_the_folder_says_in_which(
    album: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["restore", "album/b.png", "--model", model, "--out", "out"]
    assert commands.run(words) == 0
    exact = decode(Path("out/b.png").read_bytes()).pixels
    assert commands.run([*words, "--precision", "bf16"]) == 0
    assert "restored before" not in capsys.readouterr().err
    quick = decode(Path("out/b.png").read_bytes()).pixels
    assert np.abs(quick.astype(int) - exact).max() <= 3
    assert commands.run([*words, "--precision", "bf16"]) == 0
    assert "1 of 1 photos were restored before" in capsys.readouterr().err
    rows = [json.loads(line) for line in Path("out/.restored.jsonl").read_text().splitlines()]
    assert [row["precision"] for row in rows] == ["fp32", "bf16"]


def test_what_was_restored_before_there_was_a_choice_is_not_restored_again(
    album: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["restore", "album/b.png", "--model", model, "--out", "out"]
    assert commands.run(words) == 0
    record = Path("out/.restored.jsonl")
    row = json.loads(record.read_text())
    del row["precision"]
    record.write_text(json.dumps(row) + "\n")
    capsys.readouterr()
    assert commands.run(words) == 0
    assert "1 of 1 photos were restored before" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["--precision", "bf16"], ["--device", "cuda"]])
def test_an_exported_file_runs_as_it_was_written(album: Path, asked: list[str]) -> None:
    Path("generator.onnx").write_bytes(b"")
    words = ["restore", "album/b.png", "--model", "generator.onnx", "--out", "out", *asked]
    with pytest.raises(InputError, match=f"leave out {' '.join(asked)}, or name the registered model"):
        commands.run(words)


@pytest.mark.parametrize("form", ["jpeg", "tiff", "webp"])
def test_a_persons_file_is_not_replaced_in_any_format(album: Path, model: str, form: str) -> None:
    words = ["restore", "album/a.jpg", "--model", model, "--out", "out", "--format", form]
    assert commands.run(words) == 0
    (made,) = (path for path in Path("out").iterdir() if not path.name.startswith("."))
    made.write_bytes(made.read_bytes() + b"\n")
    with pytest.raises(InputError, match=f"{made.name} would be replaced"):
        commands.run(words)
    assert commands.run([*words, "--overwrite"]) == 0


def test_a_pattern_that_no_shell_expanded_is_read(album: Path, model: str) -> None:
    assert commands.run(["restore", "album/**/*.[jw]*", "--model", model, "--out", "out"]) == 0
    assert names(Path("out")) == ["a.png", "b.png", "day 2/c.png"]
    with pytest.raises(InputError, match=re.escape("no file fits album/*.gif")):
        commands.run(["restore", "album/*.gif", "--model", model, "--out", "out"])


def test_restored_photos_are_not_restored_again(album: Path, model: str) -> None:
    words = ["restore", "album", "--model", model, "--out", "album/restored"]
    for _ in range(2):
        assert commands.run(words) == 0
        assert len(names(album / "restored")) == 5
    with pytest.raises(InputError, match="is the folder that is read"):
        commands.run(["restore", "album", "--model", model, "--out", "album"])


def test_a_damaged_photo_of_a_folder_is_told_and_the_code_says_so(
    album: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (album / "a.jpg").read_bytes()
    (album / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert commands.run(["restore", "album", "--model", model, "--out", "out"]) == 1
    assert re.search(r"1 of 6 photos could not be restored: \S*cut\.jpg: truncated", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("lost.jpg", b"", "not a photo: the file is empty"),
        ("lost.PNG", bytes(5000), "not a photo: it begins with zeros: its copying broke off"),
        ("day 2/lost.tif", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("lost.webp", b"<!doctype html><html>404", "a web page or drawing"),
        ("lost.heic", b"GIF89a", "not a photo: a GIF"),
    ],
)
def test_what_is_called_a_photo_and_is_none_was_not_restored(
    name: str, data: bytes, words: str, album: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (album / name).write_bytes(data)
    assert commands.run(["restore", "album", "--model", model, "--out", "out"]) == 1
    told = capsys.readouterr().err
    assert re.search(rf"1 of 6 photos could not be restored: \S*{name}: .*{words}", told)
    assert "1 file is no photo: notes.txt" in told


def test_a_folder_without_photos_is_told(tmp_path: Path, model: str) -> None:
    (tmp_path / "texts").mkdir()
    for words in ("is a folder with no photo in it", "1 file is no photo: notes.txt"):
        with pytest.raises(PhotoError, match=words):
            commands.run(
                ["restore", str(tmp_path / "texts"), "--model", model, "--out", str(tmp_path / "out")]
            )
        (tmp_path / "texts" / "notes.txt").write_text("Dear diary")


@pytest.mark.services
def test_a_prefix_of_a_bucket_is_read(album: Path, model: str, bucket: str) -> None:

    for name in ("a.jpg", "day 2/c.webp", "notes.txt"):
        storage.put(album / name, f"{bucket}/photos/{name}")
    for place, out in ((f"{bucket}/photos", "out"), ("album", "local")):
        assert commands.run(["restore", place, "--model", model, "--out", out]) == 0
    assert names(Path("out")) == ["a.png", "day 2/c.png"]
    for name in names(Path("out")):
        assert (Path("out") / name).read_bytes() == (Path("local") / name).read_bytes()


@pytest.mark.services
def test_an_object_that_is_empty_stops_no_other(
    album: Path, model: str, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.put(album / "a.jpg", f"{bucket}/photos/a.jpg")
    storage.put(b"", f"{bucket}/photos/empty.jpg")
    assert storage.read_range(f"{bucket}/photos/empty.jpg", 0, 64) == b""
    assert commands.run(["restore", f"{bucket}/photos", "--model", model, "--out", "out"]) == 1
    assert names(Path("out")) == ["a.png"]
    assert "/photos/empty.jpg: not a photo: the file is empty" in capsys.readouterr().err


@pytest.mark.services
def test_an_object_that_went_after_it_was_listed_is_told_as_a_photo_is(bucket: str) -> None:
    place = PhotoPlace(f"{bucket}/photos/gone.jpg", "gone.jpg", named=False, size=10)
    assert place.is_meant_as_a_photo(), "it is told when it is read"
    with pytest.raises(PhotoError, match=r"unreadable: no object s3://.*/photos/gone\.jpg at .*; check"):
        place.read()


def test_tiles_and_device_can_be_chosen(album: Path, model: str) -> None:
    words = ["restore", "album/a.jpg", "--model", model, "--out", "out"]
    assert commands.run([*words, "--device", "cpu", "--tile", "256"]) == 0
    with pytest.raises(InputError, match="at least 256"):
        commands.run([*words, "--tile", "32"])


def test_an_exported_file_restores_as_its_checkpoint_does(album: Path, model: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs refocus[onnx]")
    from components.nets.formats.onnx_writer import quiet, write_onnx
    from components.nets.restore import load_restorer

    with quiet():
        write_onnx(load_restorer(Path(model), device="cpu"), tmp_path / "small.onnx", about={})
    for each, out in ((model, "one"), (str(tmp_path / "small.onnx"), "other")):
        assert commands.run(["restore", "album/b.png", "--model", each, "--out", out]) == 0
    one, other = (decode((Path(out) / "b.png").read_bytes()).pixels for out in ("one", "other"))
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


@pytest.mark.parametrize("form", FORMATS)
def test_a_command_that_is_stopped_after_any_file_goes_on_the_next_time(
    album: Path, model: str, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["restore", "album", "--model", model, "--out", "out", "--format", form]
    with monkeypatch.context() as patched:
        kept = Delivery.incoming

        @contextmanager
        def stopped(self: Delivery, name: str) -> Iterator[Path]:
            with kept(self, name) as temporary:
                yield temporary
            if len(names(Path("out"))) == 3:
                raise KeyboardInterrupt

        patched.setattr(Delivery, "incoming", stopped)
        with pytest.raises(KeyboardInterrupt):
            commands.run(words)
    assert commands.run(words) == 0
    assert "3 of 5 photos were restored before" in capsys.readouterr().err


@pytest.mark.parametrize("changed", ["tile", "generator"])
def test_what_would_become_another_picture_is_not_taken_for_done(
    tmp_path: Path, changed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    net = UNet(width=4, depth=1, norm="instance", test_time_tiles="per_tile")
    save_generator(tmp_path / "model", net, net.build(seed=0).state_dict())
    Image.fromarray(np.full((300, 300, 3), 90, np.uint8)).save("large.png")
    words = ["restore", "large.png", "--model", "model", "--out", "out", "--tile"]
    assert commands.run([*words, "256"]) == 0
    if changed == "generator":
        config = tmp_path / "model" / "generator.json"
        config.write_text(
            config.read_text().replace('"test_time_ensemble": false', '"test_time_ensemble": true')
        )
    second = [*words, "1024" if changed == "tile" else "256"]
    assert commands.run(second) == 0
    assert "restored before" not in capsys.readouterr().err
    assert commands.run(second) == 0
    assert "1 of 1 photos were restored before" in capsys.readouterr().err


def test_a_pattern_leaves_hidden_files_and_folders_unless_it_names_them(album: Path, model: str) -> None:
    (album / ".cache").mkdir()
    (album / ".cache" / "d.png").write_bytes((album / "b.png").read_bytes())
    (album / ".hidden.png").write_bytes((album / "b.png").read_bytes())
    assert commands.run(["restore", "album/**/*.png", "--model", model, "--out", "out"]) == 0
    assert [path.name for path in Path("out").rglob("*.png")] == ["b.png"]
    assert commands.run(["restore", "album/.cache/*.png", "--model", model, "--out", "out2"]) == 0
    assert [path.name for path in Path("out2").rglob("*.png")] == ["d.png"]


def test_linked_folders_are_read_once_and_a_circle_of_them_ends(album: Path, model: str) -> None:
    elsewhere = album.parent / "elsewhere"
    elsewhere.mkdir()
    (album / "b.png").rename(elsewhere / "far.png")
    (album / "link").symlink_to(elsewhere)
    (album / "circle").symlink_to(album)
    assert commands.run(["restore", "album", "--model", model, "--out", "out"]) == 0
    assert "link/far.png" in names(Path("out"))
    assert not any(name.startswith("circle") for name in names(Path("out")))


@pytest.mark.parametrize(
    ("photos", "form", "bytes_"),
    [
        ((f"{'k' * 251}.jpg",), "webp", 256),
        ((f"{chr(252) * 125}k.jpg",), "webp", 256),
        ((f"{'k' * 250}.jpg", f"{'k' * 250}.png"), "png", 258),
    ],
    ids=["a longer ending", "letters of two bytes", "two of one name"],
)
def test_a_photo_whose_restored_version_has_too_long_a_name_stops_no_other(
    album: Path,
    model: str,
    photos: tuple[str, ...],
    form: str,
    bytes_: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in photos:
        Image.fromarray(pixels(7)).save(album / name)
    assert commands.run(["restore", "album", "--model", model, "--out", "out", "--format", form]) == 1
    assert len(names(Path("out"))) == 5
    said = capsys.readouterr().err
    assert f"{len(photos)} of {5 + len(photos)} photos could not be restored" in said
    assert f"would have a name of {bytes_} bytes, at most 255 are possible at out; give it a shorter" in said


@pytest.mark.parametrize("words", [["album"], ["album/*"], ["album/a.jpg", "album/b.png", "album/link.jpg"]])
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("link.jpg", "album/link.jpg: unreadable: Too many levels of symbolic links"),
        ("gone", "no photo at album/link.jpg: a link to gone, which is not there"),
    ],
    ids=["to itself", "to nothing"],
)
def test_a_photo_that_is_a_link_to_nowhere_stops_no_other(
    album: Path, model: str, words: list[str], target: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (album / "link.jpg").symlink_to(target)
    assert commands.run(["restore", *words, "--model", model, "--out", "out"]) == 1
    assert len(names(Path("out"))) >= 2
    assert reason in capsys.readouterr().err


def test_a_photo_named_in_two_ways_is_one(album: Path, model: str) -> None:
    words = ["restore", "album/b.png", f"{album}/b.png", "album/day 2/../b.png"]
    assert commands.run([*words, "--model", model, "--out", "out"]) == 0
    assert names(Path("out")) == ["b.png"]


@pytest.mark.services
def test_no_key_of_a_bucket_leads_out_of_the_folder(
    album: Path, model: str, bucket: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.jpg"
    for key in (str(outside), "/../up.jpg", "/plain.jpg"):
        storage.put(album / "a.jpg", f"{bucket}/trap/{key}")
    commands.run(["restore", f"{bucket}/trap", "--model", model, "--out", "out"])
    assert not outside.with_suffix(".png").exists()
    inside = Path("out").resolve()
    assert (inside / "plain.png").is_file()
    made = [path for path in tmp_path.rglob("*.png") if path.name in ("outside.png", "up.png", "plain.png")]
    assert all(path.resolve().is_relative_to(inside) for path in made)


@pytest.mark.parametrize("name", ["../up.png", "/root.png", "a/../../b.png"])
def test_nothing_is_delivered_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="outside"):
        Delivery(tmp_path).refuse_others([name])


@pytest.mark.parametrize("place", ["s3://bucket/x", "gs://bucket/x", "https://example.org/x"])
def test_an_address_is_no_folder_to_deliver_to(album: Path, model: str, place: str) -> None:
    with pytest.raises(InputError, match="copy it from there"):
        commands.run(["restore", "album", "--model", model, "--out", place])


@pytest.mark.parametrize("words", [["", "--out", "out"], ["album", "--out", ""], ["album", "--out", " "]])
def test_an_empty_word_is_not_this_folder(album: Path, model: str, words: list[str]) -> None:
    with pytest.raises(InputError, match="variable of the shell"):
        commands.run(["restore", *words, "--model", model])


@pytest.mark.parametrize("device", ["cuda:99", "mps", "nonsense"])
def test_a_device_that_is_not_here_is_told(album: Path, model: str, device: str) -> None:
    with pytest.raises(InputError, match=f"--device {device}"):
        commands.run(["restore", "album", "--model", model, "--out", "out", "--device", device])
