"""`refocus restore` of videos and folders of frames: what comes out, what is kept, what is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from safetensors.torch import save_file

from components.console import commands
from components.console.restore_video import restored_frames
from components.core.errors import InputError, PhotoError
from components.core.images import read_rgb, write_png
from components.core.levels import Pixels
from components.core.video.reading import facts_of_video, frames_of_video
from components.core.video.scenes import is_cut
from components.core.video.writing import CODECS, VideoWriter
from components.nets.generators import UNet, Video3D
from components.nets.restore import CONFIG, WEIGHTS, Restorer, load_restorer, save_generator
from components.nets.tiling import TiledRestorer

SIZE = (64, 48)


def frame(number: int, seed: int = 0) -> Pixels:
    """A view that moves 2 px a frame over something smooth."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 24, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (192, 48), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(scene[:, 2 * number : 2 * number + SIZE[0]])


def video(path: Path, frames: list[Pixels], fps: float = 12.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, "mkv", fps, (frames[0].shape[1], frames[0].shape[0])) as made:
        for each in frames:
            made.write(each)
    return path


@pytest.fixture(params=[UNet(width=4, depth=1), Video3D(width=4, depth=1, frames=3)], ids=["photo", "video"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkpoint's folder whose net changes what it is given."""
    weights = request.param.build(seed=3).state_dict()
    weights["body.head.bias"] = weights["body.head.bias"] + 0.2
    save_generator(tmp_path / "model", request.param, weights)
    return tmp_path / "model"


def restored_alone(model: Path, frames: list[Pixels], number: int) -> Pixels:
    """A frame as its window says, by hand."""
    restorer = load_restorer(model, device="cpu")
    places = [number] if restorer.window == 1 else [abs(number - 1), number, number + 1]
    last = len(frames) - 1
    shown = [frames[place if place <= last else 2 * last - place] for place in places]
    return restorer.restore_pixels(np.concatenate(shown, axis=2))


def test_a_video_comes_back_as_a_video_without_loss_and_with_its_frame_rate(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    frames = [frame(number) for number in range(5)]
    source, out = video(tmp_path / "in/clip.avi.mkv", frames), tmp_path / "out"
    assert commands.run(["restore", str(source), "--model", str(model), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.split() == [str(out / "clip.avi.mkv")]
    assert "sound and colour tags are not in it" in told.err
    assert f"ffmpeg -i {out / 'clip.avi.mkv'} -i {source} -map 0:v -map '1:a?'" in told.err
    assert "5/5 frames" in told.err
    assert facts_of_video(out / "clip.avi.mkv").fps == 12.5
    found = list(frames_of_video(out / "clip.avi.mkv"))
    assert len(found) == 5
    for number in range(5):
        assert np.array_equal(found[number], restored_alone(model, frames, number))


def test_what_was_restored_is_not_done_again_and_what_is_not_ours_is_not_replaced(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = video(tmp_path / "clip.mkv", [frame(0), frame(1)])
    asked = ["restore", str(source), "--model", str(model), "--out", str(tmp_path / "out")]
    assert commands.run(asked) == 0
    made = (tmp_path / "out/clip.mkv").stat().st_mtime_ns
    assert commands.run(asked) == 0
    assert "was restored before" in capsys.readouterr().err
    assert (tmp_path / "out/clip.mkv").stat().st_mtime_ns == made
    (tmp_path / "out/clip.mkv").write_bytes(b"mine")
    with pytest.raises(InputError, match="would be replaced, and was not made by this command"):
        commands.run(asked)
    assert (tmp_path / "out/clip.mkv").read_bytes() == b"mine"


def test_a_folder_of_frames_comes_back_as_one_in_the_order_people_count(model: Path, tmp_path: Path) -> None:
    frames = [frame(number) for number in range(11)]
    (tmp_path / "in/walk").mkdir(parents=True)
    for number, pixels in enumerate(frames):
        write_png(tmp_path / f"in/walk/f{number}.png", pixels)
    out = tmp_path / "out"
    told = ["--model", str(model), "--out", str(out), "--frames"]
    assert commands.run(["restore", str(tmp_path / "in/walk"), *told]) == 0
    assert len(list(out.rglob("*.png"))) == 11
    for number in (0, 2, 10):
        found = read_rgb(out / f"walk/f{number}.png")
        assert np.array_equal(found, restored_alone(model, frames, number))


def test_frames_keep_what_photos_keep_and_hidden_files_are_none(tmp_path: Path) -> None:
    part = UNet(width=4, depth=1)
    save_generator(tmp_path / "model", part, part.build(0).state_dict())
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[4:8] = b"test"  # not the usual one
    walk = tmp_path / "in/walk"
    walk.mkdir(parents=True)
    beside = {"icc_profile": bytes(profile), "dpi": (300, 300)}
    Image.fromarray(frame(0)).save(walk / "f1.png", **beside)
    Image.fromarray(frame(1)).save(walk / "f2.jpg", **beside, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    (walk / "._f1.png").write_bytes(b"what macOS leaves beside a file")
    told = ["--model", str(tmp_path / "model"), "--out", str(tmp_path / "out"), "--frames"]
    assert commands.run(["restore", str(walk), *told]) == 0
    assert sorted(path.name for path in (tmp_path / "out/walk").iterdir()) == ["f1.png", "f2.png"]
    for path in (tmp_path / "out/walk").iterdir():
        with Image.open(path) as made:
            assert made.info["icc_profile"] == bytes(profile)
            assert made.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert commands.run(["restore", str(walk), *told]) == 0, "the seal knows them again"


def test_photos_and_videos_of_one_folder_are_each_restored(model: Path, tmp_path: Path) -> None:
    video(tmp_path / "in/a/clip.mkv", [frame(0), frame(1)])
    write_png(tmp_path / "in/photo.png", frame(3))
    out = tmp_path / "out"
    assert commands.run(["restore", str(tmp_path / "in"), "--model", str(model), "--out", str(out)]) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.[mp][kn]*")) == [
        "a/clip.mkv",
        "photo.png",
    ]


@pytest.mark.parametrize("bad", ["clip.mkv", "photo.png"])
def test_a_video_that_is_none_stops_no_photo_and_a_photo_no_video(
    bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part, place, out = UNet(width=4, depth=1), tmp_path / "in", tmp_path / "out"
    save_generator(tmp_path / "model", part, part.build(0).state_dict())
    video(place / "clip.mkv", [frame(0), frame(1)])
    write_png(place / "photo.png", frame(3))
    (place / bad).write_bytes(b"its copying broke off")
    told = ["restore", str(place), "--model", str(tmp_path / "model"), "--out", str(out)]
    assert commands.run(told) == 1
    assert {path.name for path in out.glob("[!.]*")} == {"clip.mkv", "photo.png"} - {bad}
    assert f"restore: {place / bad}" in capsys.readouterr().err
    for path in place.iterdir():
        path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"clip\.mkv is no video .*; .*photo\.png: not a photo"):
        commands.run(told)


def test_a_photo_in_the_way_is_told_before_a_video_is_restored(tmp_path: Path) -> None:
    part, place, out = UNet(width=4, depth=1), tmp_path / "in", tmp_path / "out"
    save_generator(tmp_path / "model", part, part.build(0).state_dict())
    video(place / "clip.mkv", [frame(0), frame(1)])
    write_png(place / "photo.png", frame(3))
    out.mkdir()
    (out / "photo.png").write_text("a person's own")
    with pytest.raises(InputError, match=r"photo\.png would be replaced, and was not made by this command"):
        commands.run(["restore", str(place), "--model", str(tmp_path / "model"), "--out", str(out)])
    assert [path.name for path in out.iterdir()] == ["photo.png"]


def test_a_video_that_is_none_and_one_that_is_cut_off_are_told_and_the_others_are_done(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    whole = video(
        tmp_path / "whole.mkv", [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(30)]
    )
    data = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    (tmp_path / "none.mp4").write_bytes(b"no video at all")
    names = [str(tmp_path / name) for name in ("none.mp4", "cut.mkv", "missing.mp4")]
    out = tmp_path / "out"
    assert commands.run(["restore", *names, "--model", str(model), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert f"{names[0]} is no video that FFmpeg can read" in told
    assert f"{names[1]} ends after 14 of the 30 frames that it promises" in told
    assert f"no video at {names[2]}" in told
    assert [path.name for path in out.glob("*.mkv")] == ["cut.mkv"]
    with pytest.raises(PhotoError, match="is no video"):
        commands.run(["restore", names[0], "--model", str(model), "--out", str(tmp_path / "other")])


def test_an_unfinished_video_takes_no_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = video(tmp_path / "clip.mkv", [frame(number) for number in range(4)]), tmp_path / "out"
    count = 0

    def stopped(self: VideoWriter, pixels: Pixels) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(VideoWriter, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        commands.run(["restore", str(source), "--model", str(model), "--out", str(out)])
    assert not out.exists(), "nothing came of it, so that its folder is gone too"


def test_the_sound_is_copied_where_ffmpeg_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_generator(tmp_path / "model", UNet(width=4, depth=1), UNet(width=4, depth=1).build(0).state_dict())
    program = tmp_path / "bin/ffmpeg"
    program.parent.mkdir()
    # Stands for FFmpeg: says what it was asked and gives the video on, with something behind it.
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nfor last; do :; done\n'
        'while [ "$1" != "-i" ]; do shift; done\ncat "$2" > "$last"\nprintf sound >> "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    source = video(tmp_path / "clip.mkv", [frame(0), frame(1)])
    asked = ["restore", str(source), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]
    assert commands.run(asked) == 0
    assert f"-i {source} -map 0:v -map 1:a? -map_metadata 1 -c copy" in (tmp_path / "asked").read_text()
    assert (tmp_path / "out/clip.mkv").read_bytes().endswith(b"sound")
    assert "by hand" not in capsys.readouterr().err


def test_a_window_ends_at_a_cut(tmp_path: Path) -> None:
    part = Video3D(width=4, depth=1, frames=3)
    net = part.build(seed=3)
    net.body.head.weight.data.normal_(std=0.2)
    restorer = Restorer(net, part, device="cpu")
    one, two = ([frame(number, seed) for number in range(3)] for seed in (0, 9))
    together = list(restored_frames([*one, *two], restorer))
    apart = [*restored_frames(one, restorer), *restored_frames(two, restorer)]
    assert is_cut(one[-1], two[0])
    assert all(np.array_equal(a, b) for a, b in zip(together, apart, strict=True))


def test_motion_and_a_flash_are_no_cut() -> None:
    assert not is_cut(frame(0), frame(1))
    assert not is_cut(frame(0), np.clip(frame(0).astype(int) + 80, 0, 255).astype(np.uint8))
    black = np.zeros_like(frame(0))
    assert not is_cut(black, black + 2)
    assert is_cut(frame(0), frame(0, seed=5))


def test_a_long_video_is_held_a_window_at_a_time() -> None:
    held, most = 0, 0

    class Counted(np.ndarray):  # type: ignore[type-arg]
        def __del__(self) -> None:
            nonlocal held
            held -= 1

    def many() -> Iterator[Pixels]:
        nonlocal held, most
        for number in range(60):
            held, most = held + 1, max(most, held + 1)
            yield frame(number % 20).view(Counted)

    part = Video3D(width=4, depth=1, frames=5)
    restorer = Restorer(part.build(0), part, device="cpu")
    assert sum(1 for _ in restored_frames(many(), restorer)) == 60
    assert most <= 5 + 3  # a window, the next frame, and what the loops still name


@pytest.mark.parametrize("form", CODECS)
def test_every_form_is_written_and_read_with_sides_made_even(form: str, tmp_path: Path) -> None:
    shown = [frame(number)[:45, :61] for number in range(4)]
    with VideoWriter(tmp_path / f"v.{form}", form, 25.0, (61, 45)) as made:  # type: ignore[arg-type]
        for each in shown:
            made.write(each)
    found = list(frames_of_video(tmp_path / f"v.{form}"))
    assert [each.shape for each in found] == [(46, 62, 3)] * 4
    away = np.abs(found[2][:45, :61].astype(int) - shown[2].astype(int)).mean()
    assert away == 0 if form == "mkv" else away < 20  # half the colour of what is all colour


def test_a_video_net_without_its_weights_is_refused(tmp_path: Path) -> None:
    save_generator(tmp_path, Video3D(width=4, depth=1), Video3D(width=4, depth=1).build(0).state_dict())
    weights = Video3D(width=4, depth=1, frames=3).build(0).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, tmp_path / WEIGHTS)
    from components.core.errors import LineageError

    with pytest.raises(LineageError, match=f"needs {WEIGHTS} and {CONFIG} from one training"):
        load_restorer(tmp_path)


def walk_of(tmp_path: Path, count: int) -> Path:
    walk = tmp_path / "in/walk"
    walk.mkdir(parents=True)
    for number in range(count):
        write_png(walk / f"f{number}.png", frame(number))
    return walk


def test_frames_are_gone_on_with_where_the_command_was_stopped(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    walk, out = walk_of(tmp_path, 6), tmp_path / "out"
    asked = ["restore", str(walk), "--frames", "--model", str(model), "--out", str(out)]
    plain, done = TiledRestorer.restore_pixels, []

    def stopped_at_the_fourth(restorer: TiledRestorer, pixels: Pixels) -> Pixels:
        done.append(pixels)
        if len(done) == 4:
            raise KeyboardInterrupt
        return plain(restorer, pixels)

    monkeypatch.setattr(TiledRestorer, "restore_pixels", stopped_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        commands.run(asked)
    assert len(list(out.rglob("*.png"))) == 3
    assert commands.run(asked) == 0
    assert f"3 of 6 frames of {walk} were restored before" in capsys.readouterr().err
    assert len(done) == 4 + 3
    monkeypatch.undo()
    for number in range(6):
        found = read_rgb(out / f"walk/f{number}.png")
        assert np.array_equal(found, restored_alone(model, [frame(each) for each in range(6)], number))


def test_a_frame_is_restored_again_when_another_stands_in_its_window_or_it_is_overwritten(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    walk, out = walk_of(tmp_path, 7), tmp_path / "out"
    asked = ["restore", str(walk), "--frames", "--model", str(model), "--out", str(out)]
    assert commands.run(asked) == 0
    assert "restored before" not in capsys.readouterr().err
    write_png(walk / "f3.png", np.roll(frame(3), 1, axis=0))
    (out / "walk/f0.png").unlink()
    window = load_restorer(model, device="cpu").window
    assert commands.run(asked) == 0
    left = 7 - window - 1
    assert f"{left} of 7 frames of {walk} were restored before" in capsys.readouterr().err
    assert commands.run([*asked, "--overwrite"]) == 0
    assert "restored before" not in capsys.readouterr().err
