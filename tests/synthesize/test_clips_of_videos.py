"""Sharp videos become clips: ingest takes runs of frames out of them, synthesize moves a camera before
each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from photosets import everything
from pydantic import ValidationError

from components.core.errors import InputError, PhotoError
from components.core.images import read_rgb, write_png
from components.core.records import PhotoSet
from components.core.video.writing import VideoWriter
from components.core.windows import clips_of
from components.ingest import run as ingest
from components.ingest import videos
from components.ingest.config import IngestConfig, SharpClips
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

SIZE = (96, 80)
STILL = {
    "frames": 3,
    "turn_deg_per_s": [1e-6, 1e-6],
    "roll_deg_per_s": [1e-6, 1e-6],
    "pan_deg_per_s": [0, 0],
}
PLAIN_CAMERA = {"noise": None, "jpeg": None}


def frame(seed: int, number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A view that moves on by 2 px a frame."""
    coarse = np.random.default_rng(seed).integers(0, 256, (10, 30, 3), dtype=np.uint8)
    scene = np.asarray(cv2.resize(coarse, (240, SIZE[1]), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.ascontiguousarray(scene[:, 2 * number : 2 * number + SIZE[0]])


def source(folder: Path) -> Path:
    """Four videos of 14 frames, one of them with a cut in its middle, a folder of frames, and no video."""
    folder.mkdir()
    for seed in range(4):
        with VideoWriter(folder / f"v{seed}.mkv", "mkv", 25.0, SIZE) as video:
            for number in range(14):
                video.write(frame(9 if seed == 3 and number > 6 else seed, number))
    (folder / "walk").mkdir()
    for number in range(5):
        write_png(folder / "walk" / f"{number}.png", frame(7, number))
    (folder / "none.mp4").write_bytes(b"no video")
    (folder / "readme.txt").write_text("of mine")
    return folder


def taken(folder: Path, **clips: Any) -> PhotoSet:
    if not (folder / "videos").is_dir():
        source(folder / "videos")
    told = {"photos": str(folder / "videos"), "clips": {"frames": 3, "every": 5, **clips}}
    return ingest.run(IngestConfig.model_validate(told), out=folder / "photos")


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return taken(tmp_path_factory.mktemp("taken"))


def test_each_clip_is_a_run_of_frames_that_no_cut_parts(photoset: PhotoSet) -> None:
    starts = sorted(photo.name for photo in photoset.photos())
    whole = [f"v{seed}.mkv/{start:06d}.png" for seed in range(3) for start in (0, 5, 10)]
    cut = [f"v3.mkv/{start:06d}.png" for start in (0, 7)]  # after frame 6 begins another scene
    assert starts == [*whole, *cut, "walk/000000.png"]
    for photo in photoset.photos():
        video, start = photo.name.split("/")
        numbers = range(int(start[:-4]), int(start[:-4]) + 3)
        assert [each.name for each in photo.frames] == [f"{video}/{number:06d}.png" for number in numbers][1:]
        for number, file in zip(numbers, (photo.file, *(each.file for each in photo.frames)), strict=True):
            seed = {"walk": 7, "v3.mkv": 9 if number > 6 else 3}.get(
                video, int(video[1]) if video != "walk" else 0
            )
            assert np.array_equal(read_rgb(photoset.folder / file), frame(seed, number))


def test_a_videos_clips_stand_in_one_split_and_what_is_no_video_is_told(photoset: PhotoSet) -> None:
    splits: dict[str, set[str]] = {}
    for photo in photoset.photos():
        splits.setdefault(photo.name.split("/")[0], set()).add(photo.split)
    assert {len(each) for each in splits.values()} == {1}
    assert set().union(*splits.values()) == {"train", "val", "test"}
    assert photoset.about["left_out"] == {"video": 1}
    assert photoset.about["ignored"] == {".txt": 1}


def test_a_second_run_decodes_no_video_and_takes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(tmp_path)
    decoded = []
    monkeypatch.setattr(videos, "clips_in", lambda *_: decoded.append(1) or ())
    assert taken(tmp_path).digest == first.digest
    assert decoded == []


def test_no_more_clips_are_taken_than_asked_for(tmp_path: Path) -> None:
    assert len(taken(tmp_path, most=1).photos()) == 5


def test_frames_that_are_alike_are_a_clip_too() -> None:
    still = [frame(0, 0)] * 7
    found = list(videos.clips_in(iter(still), SharpClips(frames=3, every=1)))
    assert [start for start, _ in found] == [0, 3]


def test_every_frame_of_a_video_is_seen_by_one_camera_path(photoset: PhotoSet, tmp_path: Path) -> None:
    config = SynthesizeConfig.model_validate({"clip": STILL, "camera": PLAIN_CAMERA})
    pairs = run(config, photoset, out=tmp_path / "still")
    clips = clips_of(pairs.pairs())
    photos = {photo.id: photo for photo in photoset.photos()}
    assert len(clips) == len(photos)
    for clip in clips:
        photo = photos[clip[0].photo]
        files = (photo.file, *(each.file for each in photo.frames))
        for pair, file in zip(clip, files, strict=True):
            wanted = read_rgb(photoset.folder / file)
            assert np.array_equal(read_rgb(pairs.folder / pair.target), wanted)
            assert np.abs(read_rgb(pairs.folder / pair.input).astype(int) - wanted).max() <= 1


def test_clips_of_videos_are_shaken_noisy_and_coded_the_same_in_every_run(
    photoset: PhotoSet, tmp_path: Path
) -> None:
    clip = {"frames": 3, "turn_deg_per_s": [10, 20], "codec": {"kind": "mpeg4"}}
    one, two = (
        run(SynthesizeConfig.model_validate({"clip": clip}), photoset, out=tmp_path / name)
        for name in ("one", "two")
    )
    assert everything(one.folder) == everything(two.folder)
    assert all(pair.severity > 0 and pair.drawn["codec"] == "mpeg4" for pair in one.pairs())
    for found in clips_of(one.pairs()):
        assert len({pair.severity for pair in found}) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "came as clips of video .* set synthesize.clip"),
        ({"clip": STILL | {"frames": 4}}, "synthesize.clip.frames is 4, and ingest.clips took clips of 3"),
    ],
)
def test_settings_that_do_not_fit_the_clips_are_refused(
    photoset: PhotoSet, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(SynthesizeConfig.model_validate(settings), photoset, out=tmp_path / "pairs")


def test_a_folder_without_a_clip_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    source(tmp_path / "videos")
    with pytest.raises(PhotoError, match=r"no clip at .*, of 6 videos and folders of frames there: none.mp4"):
        taken(tmp_path, frames=200)
    assert not (tmp_path / "photos").exists()


@pytest.mark.parametrize("others", [{"photos": "bundled"}, {"pairs": {"kind": "dvd"}}, {"domains": {}}])
def test_clips_beside_what_is_no_video_are_refused(others: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="clips are taken out of sharp videos of your own"):
        IngestConfig.model_validate({"photos": "videos", "clips": {}} | others)


def test_settings_without_clips_are_written_as_they_always_were() -> None:
    assert "clips" not in IngestConfig().model_dump()
