"""Pairs by second_order: sharpened training targets, untouched ones to measure with, no camera
beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from test_synthesize_run import everything, photoset_of

from components.core.images import read_rgb
from components.core.records import PairSet, PhotoSet
from components.optics.downscale import SecondOrder
from components.synthesize.config import SynthesizeConfig
from components.synthesize.run import run

SIZES = ((97, 82), (80, 120), (71, 70), (64, 91))


def config(**settings: object) -> SynthesizeConfig:
    return SynthesizeConfig.model_validate({"downscale": {"kind": "second_order", "scale": 4}, **settings})


@pytest.fixture(scope="module")
def photoset(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return photoset_of(tmp_path_factory.mktemp("ingested"), sizes=SIZES)


@pytest.fixture(scope="module")
def made(photoset: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return run(config(pairs_per_photo=3), photoset, out=tmp_path_factory.mktemp("pairs"))


def test_the_record_is_one_of_super_resolution_measured_against_bicubic(made: PairSet) -> None:
    assert (made.task, made.scale, made.baseline) == ("super_resolution", 4, "bicubic")
    assert made.counts["train"] == 6


def test_training_targets_are_sharpened_and_the_others_are_the_photos_themselves(
    photoset: PhotoSet, made: PairSet
) -> None:
    photos = {photo.id: photo for photo in photoset.photos()}
    for row in made.pairs():
        target = read_rgb(made.folder / row.target)
        assert read_rgb(made.folder / row.input).shape == (row.height // 4, row.width // 4, 3)
        if photos[row.photo].bits == 8:
            photo = SecondOrder().cut(read_rgb(photoset.folder / photos[row.photo].file))
            assert row.drawn.get("sharpened") == (True if row.split == "train" else None)
            assert np.array_equal(
                target,
                SecondOrder().train_target(np.ascontiguousarray(photo)) if row.split == "train" else photo,
            )


def test_without_sharpening_every_target_is_the_photo(photoset: PhotoSet, tmp_path: Path) -> None:
    plain = run(config(downscale={"kind": "second_order", "usm": None}), photoset, out=tmp_path)
    photos = {photo.id: photo for photo in photoset.photos()}
    for row in plain.pairs():
        if photos[row.photo].bits == 8:
            assert np.array_equal(
                read_rgb(plain.folder / row.target),
                SecondOrder().cut(read_rgb(photoset.folder / photos[row.photo].file)),
            )
            assert "sharpened" not in row.drawn


def test_rows_say_everything_that_was_drawn_and_how_severe_it_is(made: PairSet) -> None:
    rows = made.pairs()
    assert {row.blur_kind for row in rows} == {"second_order"}
    for row in rows:
        drawn = SecondOrder().draw(row.seed)
        assert row.drawn["downscale"] == drawn.drawn
        assert row.severity == pytest.approx(drawn.severity_px)
        assert (row.drawn["noise"], row.drawn["jpeg_quality"]) == (None, None)
    assert len({row.input_sha256 for row in rows}) == len(rows)


def test_a_blur_before_it_counts_too(photoset: PhotoSet, tmp_path: Path) -> None:
    blurred = run(config(blurs=[{"kind": "random_trajectory"}]), photoset, out=tmp_path)
    for row in blurred.pairs():
        assert row.blur_kind == "random_trajectory"
        assert row.severity > SecondOrder().draw(row.seed).severity_px


def test_the_same_settings_give_the_same_bytes(photoset: PhotoSet, made: PairSet, tmp_path: Path) -> None:
    assert everything(run(config(pairs_per_photo=3), photoset, out=tmp_path).folder) == everything(
        made.folder
    )


def test_its_camera_is_left_out_or_has_every_step_off() -> None:
    usual = config()
    assert usual.camera.steps == ()
    assert SynthesizeConfig.model_validate(usual.model_dump(mode="json")) == usual
    assert config(camera={"noise": None, "jpeg": None, "linear_light": False}).camera.linear_light is False


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (
            {},
            (
                "second_order has noise and JPEG of its own, twice, .* leave camera out, or set noise: null"
                " and jpeg: null in it"
            ),
        ),
        ({"noise": None}, "set jpeg: null in it"),
        ({"noise": None, "jpeg": None, "bits": 16}, "set bits: 8 in it"),
    ],
)
def test_a_camera_beside_it_is_refused(camera: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(camera=camera)
