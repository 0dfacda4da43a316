"""Sets of video: each frame knows its clip and its place in it, a clip stands in one split, and what
becomes of it as pairs.
"""

from __future__ import annotations

from pathlib import Path

import pair_sets
import pytest
from pair_sets import TEST_ONLY, config, inputs_of
from pydantic import ValidationError
from test_clips import SETTINGS, folder, video

from components.core.windows import clips_of
from components.ingest.pairs.published import Dvd
from components.ingest.run import run
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run as synthesize

LAYOUTS = {
    "gopro": (pair_sets.gopro, {"variant": "blur"}, ("GOPR0101_11_00", [1, 2])),
    "reds": (pair_sets.reds, {}, ("val/000", [0, 1])),
    "dvd": (pair_sets.dvd, {}, ("IMG_0003", [0, 1, 2])),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_frame_knows_its_clip_and_its_place_and_a_clip_stands_in_one_split(
    tmp_path: Path, kind: str
) -> None:
    make, settings, (clip, frames) = LAYOUTS[kind]
    found = inputs_of(run(config(make(tmp_path / "in"), kind, **settings), out=tmp_path / "out"))
    assert (
        sorted(row.frame for split, row in found.values() if split == "test" and row.clip == clip) == frames
    )
    splits: dict[str | None, set[str]] = {}
    for split, row in found.values():
        assert row.clip == row.scene
        splits.setdefault(row.clip, set()).add(split)
    assert all(len(each) == 1 for each in splits.values())
    assert {"train", "test"} <= set().union(*splits.values())


def test_the_ten_clips_that_the_authors_of_dvd_tested_on_are_the_test_split(tmp_path: Path) -> None:
    assert len(Dvd.TESTED) == 10
    for name in ("IMG_0003", "IMG_0049", "720p_240fps_2"):
        listing = Dvd().listing([f"a/{name}/{side}/00001.jpg" for side in ("input", "GT")], str)
        assert [pair.split for pair in listing.pairs] == ["test"]
    parted = Dvd().listing([f"train/IMG_0003/{side}/00001.jpg" for side in ("input", "GT")], str)
    assert [pair.split for pair in parted.pairs] == ["train"]


def test_successive_groups_of_a_video_are_successive_frames_of_a_clip(tmp_path: Path) -> None:
    folder(tmp_path / "in/walk", 1, 9)
    video(tmp_path / "in/film.avi", 3, 6)
    asked = config(tmp_path / "in", "frame_average", split=TEST_ONLY, **SETTINGS)
    for _ in range(2):  # what an earlier run made is numbered as when it was made
        found = inputs_of(run(asked, out=tmp_path / "out"))
        numbered = {(row.clip, row.frame): row.made["first_frame"] for _, row in found.values()}
        assert numbered == {
            ("walk", 0): 0,
            ("walk", 1): 3,
            ("walk", 2): 6,
            ("film.avi", 0): 0,
            ("film.avi", 1): 3,
        }


def test_two_folders_hold_clips_where_it_is_said(tmp_path: Path) -> None:
    for clip, seed in (("a", 0), ("b", 10)):
        for frame in (9, 10):
            paths = [tmp_path / f"in/{side}/{clip}/f{frame}.png" for side in ("sharp", "blur")]
            pair_sets.pair_at(*paths, seed=seed + frame)
    plain, clips = (
        inputs_of(
            run(
                config(tmp_path / "in", "two_folders", split=TEST_ONLY, **told),
                out=tmp_path / f"out{len(told)}",
            )
        )
        for told in ({}, {"clips": True})
    )
    assert {row.clip for _, row in plain.values()} == {None}
    assert {(row.clip, row.frame) for _, row in clips.values()} == {("a", 9), ("a", 10), ("b", 9), ("b", 10)}


def test_clips_with_several_pictures_a_frame_are_refused() -> None:
    with pytest.raises(ValidationError, match="clips is on, and strip _k lets several blurred pictures"):
        config("x", "two_folders", clips=True, strip="_k")


def test_a_clip_becomes_pairs_in_its_order_and_each_frame_is_stored_once(tmp_path: Path) -> None:
    photoset = run(config(pair_sets.dvd(tmp_path / "in"), "dvd"), out=tmp_path / "photos")
    pairset = synthesize(SynthesizeConfig(workers=0), photoset, out=tmp_path / "pairs")
    clips = {clip[0].clip: [pair.frame for pair in clip] for clip in clips_of(pairset.pairs())}
    assert clips == {"IMG_0001": [0, 1], "720p_240fps_1": [0, 1], "IMG_0003": [0, 1, 2]}
    assert len(list((tmp_path / "pairs").rglob("*/input/*.png"))) == len(pairset.pairs()) == 7
