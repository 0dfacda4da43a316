"""Doing nothing, by task; a PairSet that contradicts itself is refused."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from pydantic import ValidationError

from components.core.baseline import do_nothing, enlarged, sentence_for, words_for
from components.core.images import to_float
from components.core.records import Baseline, PairSet, Task
from components.core.resize import bicubic

GIVEN = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def pairset(**settings: object) -> PairSet:
    told = {
        "table_sha256": "t",
        "photoset": "p",
        "config_digest": "c",
        "counts": {"train": 1, "val": 0, "test": 1},
    }
    return PairSet.model_validate(told | settings)


def test_doing_nothing_to_a_blurred_photo_is_the_photo() -> None:
    assert np.array_equal(do_nothing(pairset(), GIVEN), GIVEN)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_doing_nothing_to_a_small_photo_is_its_bicubic_enlargement_as_saved(scale: int) -> None:
    found = do_nothing(pairset(scale=scale, baseline="bicubic", task="super_resolution"), GIVEN)
    exact = bicubic(GIVEN.astype(np.float32), 14 * scale, 9 * scale)
    assert found.dtype == np.uint8
    assert np.abs(found - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-4
    assert np.array_equal(found, enlarged(GIVEN, scale))


def test_doing_nothing_keeps_sixteen_bits() -> None:
    deep = GIVEN.astype(np.uint16) * 257
    assert do_nothing(pairset(), deep) is deep
    larger = do_nothing(pairset(scale=2, baseline="bicubic", task="super_resolution"), deep)
    assert larger.dtype == np.uint16
    assert np.abs(larger / 257 - enlarged(GIVEN, 2)).max() <= 0.51
    mean = do_nothing(pairset(task="translation", baseline="mean_colour", mean_colour=(1, 2, 255)), deep)
    assert np.unique(mean.reshape(-1, 3), axis=0).tolist() == [[257, 514, 65535]]


def test_doing_nothing_to_a_label_map_is_the_mean_colour_of_the_targets() -> None:
    found = do_nothing(pairset(task="translation", baseline="mean_colour", mean_colour=(1, 2, 255)), GIVEN)
    assert found.shape == GIVEN.shape
    assert np.unique(found.reshape(-1, 3), axis=0).tolist() == [[1, 2, 255]]
    found[:] = 0  # a picture of its own, free to be drawn on


def test_a_plain_picture_enlarged_stays_plain() -> None:
    plain = np.full((6, 6, 3), 77, np.uint8)
    assert set(np.unique(enlarged(plain, 4)).tolist()) == {77}
    assert to_float(enlarged(plain, 1)).shape == (6, 6, 3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scale": 4}, "got baseline input with scale 4"),
        ({"baseline": "bicubic"}, "got baseline bicubic with scale 1"),
        ({"baseline": "mean_colour"}, "the colour go together"),
        ({"mean_colour": [1, 2, 3]}, "the colour go together"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        pairset(**settings)


@pytest.mark.parametrize("task", typing.get_args(Task))
@pytest.mark.parametrize("baseline", typing.get_args(Baseline))
def test_every_task_and_baseline_has_its_words(task: Task, baseline: Baseline) -> None:
    words = words_for(task, baseline)
    assert words.input in (words.nothing, "input")
    assert len({words.input, words.restored, words.target}) == 3
    assert len(sentence_for(task, baseline, 4)) > 15
