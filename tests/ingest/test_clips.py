"""Videos and folders of frames become pairs at ingest: which scenes, which frames, and going on
after an interruption.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ingest_photos import everything_below, picture, write
from pair_sets import TEST_ONLY, config, inputs_of, reasons

from components.core.files import sha256_of_file, state_folder
from components.core.images import Bytes8, decode, read_rgb
from components.ingest.pairs import clips
from components.ingest.pairs.averaging import averaged
from components.ingest.pairs.frame_average import FrameGroup
from components.ingest.pairs.frames import frames_of
from components.ingest.run import run
from components.services import storage

SETTINGS = {"frames": [3], "response": "linear"}


def panned(seed: int, frame: int) -> Bytes8:
    """A view of 96 × 80 px that moves 2 px to the right a frame over a larger picture."""
    return picture(seed, width=160, height=80)[:, 2 * frame : 2 * frame + 96]


def folder(root: Path, seed: int, count: int) -> Path:
    for frame in range(count):
        write(root / f"f{frame}.png", panned(seed, frame))
    return root


def video(file: Path, seed: int, count: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 30, (96, 80))
    for frame in range(count):
        writer.write(np.ascontiguousarray(panned(seed, frame)[:, :, ::-1]))
    writer.release()
    return file


def test_every_video_and_every_folder_of_frames_is_a_scene(tmp_path: Path) -> None:
    source = tmp_path / "in"
    folder(source / "walk/left", 1, 7)
    folder(source / "walk/right", 2, 12)
    film = video(source / "film.avi", 3, 6)
    (source / "notes.txt").write_text("x")
    photoset = run(config(source, "frame_average", split=TEST_ONLY, **SETTINGS), out=tmp_path / "out")
    found = inputs_of(photoset)
    # 7 frames hold two groups of three, 12 four, 6 two. Frames are in the order people count: f9
    # before f10.
    assert sorted(found) == [
        "film.avi/000000-000002.png", "film.avi/000003-000005.png",
        "walk/left/000000-000002.png", "walk/left/000003-000005.png",
        *(f"walk/right/{first:06d}-{first + 2:06d}.png" for first in (0, 3, 6, 9)),
    ]  # fmt: skip
    assert {row.scene for _, row in found.values()} == {"film.avi", "walk/left", "walk/right"}
    row = found["walk/right/000009-000011.png"][1]
    told = {
        "first_frame": 9,
        "middle_frame": 10,
        "frames": 3,
        "stride": 1,
        "response": "linear",
        "variant": "blur",
        "interpolated": 0,
    }
    assert row.made.items() >= told.items()
    assert (row.layout, row.variant) == ("frame_average", "blur")
    assert found["film.avi/000000-000002.png"][1].made["clip_sha256"] == sha256_of_file(film)
    frames = list(frames_of(source / "walk/right"))
    input, target = averaged(frames[9:12], "linear")
    photo = next(photo for photo in photoset.photos() if row in photo.inputs)
    assert (photo.name, photo.origin) == ("walk/right/000010.png", "frame 10 of walk/right")
    assert np.array_equal(read_rgb(photoset.folder / photo.file), target)
    assert np.array_equal(read_rgb(photoset.folder / row.file), input)
    assert photoset.about["ignored"] == {".txt": 1}
    # 2 px a frame over 3 frames: places -2, 0, 2 px.
    assert row.severity == pytest.approx(np.sqrt(8 / 3), rel=0.15)
    assert np.hypot(*row.shift_px) < 0.3


def test_folders_or_content_decide_the_split_of_whole_clips(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        folder(tmp_path / "in" / split / "walk", place, 6)
    told = inputs_of(
        run(
            config(tmp_path / "in", "frame_average", split={"kind": "by_folder"}, **SETTINGS),
            out=tmp_path / "told",
        )
    )
    assert all(name.startswith(f"{split}/walk/") for name, (split, _) in told.items())
    found = inputs_of(run(config(tmp_path / "in", "frame_average", **SETTINGS), out=tmp_path / "out"))
    assert sorted({(row.scene, split) for split, row in found.values()}) == [
        (f"{scene}/walk", split) for scene, split in sorted(sides(found).items())
    ]


def sides(found: dict[str, tuple[str, object]]) -> dict[str, str]:
    """The one split of each clip, by its top folder; all three are there."""
    told = {name.partition("/")[0]: split for name, (split, _) in found.items()}
    assert set(told.values()) == {"train", "val", "test"}
    return told


def test_a_clip_that_cannot_be_used_is_named_and_stops_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    folder(source / "good", 1, 3)
    folder(source / "short", 2, 2)
    (source / "notes.mp4").write_text("no video")
    run(config(source, "frame_average", split=TEST_ONLY, **SETTINGS), out=tmp_path / "out")
    assert reasons(tmp_path / "out") == {
        "notes.mp4": "video: notes.mp4 is no video that FFmpeg can read; give one, or a folder of frames",
        "short": (
            "frames: short has 2 frames, but its first group needs 3; give a longer video, or lower frames or"
            " stride"
        ),
    }


def counting(monkeypatch: pytest.MonkeyPatch, *, die_after: int | None = None) -> list[int]:
    """The groups that are made from now on; dies when asked, as a killed run does."""
    made: list[int] = []
    real = clips.frame_groups

    def watched(*input: object, **named: object) -> Iterator[FrameGroup]:
        for group in real(*input, **named):  # type: ignore[arg-type]
            if die_after is not None and len(made) == die_after:
                raise KeyboardInterrupt
            made.append(group.index)
            yield group

    monkeypatch.setattr(clips, "frame_groups", watched)
    return made


def test_what_was_made_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "in/walk", 1, 12)
    asked = config(tmp_path / "in", "frame_average", split=TEST_ONLY, **SETTINGS)
    first = run(asked, out=tmp_path / "out")
    before = everything_below(tmp_path / "out")
    made = counting(monkeypatch)
    assert run(asked, out=tmp_path / "out").digest == first.digest
    assert made == []
    # A picture that is gone is made again with those after it, and so is everything with other
    # settings.
    (tmp_path / "out" / inputs_of(first)["walk/000003-000005.png"][1].file).unlink()
    assert run(asked, out=tmp_path / "out").digest == first.digest
    assert made == [1, 2, 3]
    assert everything_below(tmp_path / "out") == before
    assert (
        len(
            inputs_of(
                run(
                    config(tmp_path / "in", "frame_average", split=TEST_ONLY, frames=[5]),
                    out=tmp_path / "out",
                )
            )
        )
        == 2
    )


def test_a_killed_run_goes_on_where_it_stopped_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "in/walk", 1, 12)
    asked = config(tmp_path / "in", "frame_average", split=TEST_ONLY, **SETTINGS)
    whole = run(asked, out=tmp_path / "whole")
    (journal,) = (state_folder() / "ingest").glob("clip-*.jsonl")
    lines = journal.read_text().splitlines()
    # Killed in the middle of the third group: two are noted and kept, a third is half written.
    journal.write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])
    for row in map(json.loads, lines[:2]):
        for side in ("input", "target"):
            name = f"originals/{row[side]}.png"
            (tmp_path / "out/originals").mkdir(parents=True, exist_ok=True)
            (tmp_path / "out" / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    made = counting(monkeypatch)
    assert run(asked, out=tmp_path / "out").digest == whole.digest
    assert made == [2, 3]
    assert journal.read_text().splitlines() == lines


def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "in/walk", 1, 12)
    counting(monkeypatch, die_after=2)
    with pytest.raises(KeyboardInterrupt):
        run(config(tmp_path / "in", "frame_average", split=TEST_ONLY, **SETTINGS), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.services
def test_a_video_in_a_bucket_gives_the_pairs_of_the_file(tmp_path: Path, s3_endpoint: str) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="clips")
    source = tmp_path / "in"
    video(source / "film.avi", 3, 6)
    folder(source / "walk", 4, 3)
    for file in source.rglob("*.*"):
        storage.put(file, f"s3://clips/{file.relative_to(source).as_posix()}")
    one, other = (
        run(config(place, "frame_average", split=TEST_ONLY, **SETTINGS), out=tmp_path / name)
        for place, name in ((source, "a"), ("s3://clips", "b"))
    )
    assert len(inputs_of(one)) == 3
    assert other.digest == one.digest
    assert decode((other.folder / other.photos()[0].file).read_bytes()).format == "PNG"
