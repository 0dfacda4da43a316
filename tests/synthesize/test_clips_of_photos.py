"""Clips are made of photos by synthesize: frames that know their place, noise of their own, the same in
every run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photosets import everything, photoset_of
from pydantic import ValidationError

from components.core.images import read_rgb
from components.core.records import PairSet
from components.core.windows import clips_of
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

CLIP = {"frames": 4, "turn_deg_per_s": [10, 20]}


def made(folder: Path, name: str = "pairs", **settings: Any) -> PairSet:
    if not (folder / "photos").is_dir():
        photoset_of(folder / "photos")
    from components.core.records import PhotoSet

    config = SynthesizeConfig.model_validate({"clip": CLIP, "pairs_per_photo": 2, **settings})
    return run(config, PhotoSet.load(folder / "photos"), out=folder / name)


def test_photos_become_clips_whose_frames_know_their_place(tmp_path: Path) -> None:
    pairs = made(tmp_path)
    assert pairs.counts == {"train": 2 * 2 * 4, "val": 4, "test": 4}
    clips = clips_of(pairs.pairs())
    assert [[pair.frame for pair in clip] for clip in clips] == [[0, 1, 2, 3]] * 6
    for clip in clips:
        assert len({pair.photo for pair in clip}) == len({pair.counts_as for pair in clip}) == 1
        targets = [read_rgb(pairs.folder / pair.target) for pair in clip]
        assert not any(np.array_equal(one, targets[0]) for one in targets[1:])  # the camera moves
    assert {pair.blur_kind for pair in pairs.pairs()} == {"clip_shake"}
    assert all(pair.severity > 0 for pair in pairs.pairs())


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    codec = {"clip": CLIP | {"codec": {"kind": "mpeg4"}}}
    for settings in ({}, codec):
        first, again = (everything(made(tmp_path, name, **settings).folder) for name in ("one", "two"))
        assert first == again


def test_noise_is_drawn_anew_in_each_frame(tmp_path: Path) -> None:
    still = {
        "clip": {
            "frames": 3,
            "turn_deg_per_s": [1e-6, 1e-6],
            "roll_deg_per_s": [1e-6, 1e-6],
            "pan_deg_per_s": [0, 0],
        }
    }
    camera = {"noise": {"shot": [0.001, 0.001], "read": [0.001, 0.001]}, "jpeg": None}
    pairs = made(tmp_path, camera=camera, **still)
    for clip in clips_of(pairs.pairs()):
        targets, inputs = (
            [read_rgb(pairs.folder / getattr(pair, side)).astype(int) for pair in clip]
            for side in ("target", "input")
        )
        assert all(np.array_equal(targets[0], each) for each in targets)
        noise = [shown - targets[0] for shown in inputs]
        related = np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]
        assert abs(related) < 0.1
        assert noise[0].std() > 1


def test_what_the_codec_did_is_written_down(tmp_path: Path) -> None:
    pairs = made(tmp_path, clip=CLIP | {"codec": {"kind": "vp9", "share": 0.5}})
    told = {clip[0].clip: {pair.drawn.get("codec") for pair in clip} for clip in clips_of(pairs.pairs())}
    assert all(len(each) == 1 for each in told.values())
    assert set().union(*told.values()) == {None, "vp9"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blurs": [{"kind": "gaussian"}]}, "leave blurs out"),
        ({"downscale": {"scale": 4}}, "leave downscale out"),
        ({"delivery": "on_the_fly", "pairs_per_photo": 1}, "leave delivery on_the_fly out"),
    ],
)
def test_another_blur_beside_a_clips_own_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SynthesizeConfig.model_validate({"clip": CLIP, **settings})


def test_settings_without_clips_are_written_as_they_always_were() -> None:
    assert "clip" not in SynthesizeConfig().model_dump()
