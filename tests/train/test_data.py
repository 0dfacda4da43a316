"""Training data by position: the order, the workers' parts, crops that stay together."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pairs import make_pairs
from small_training import config

from components.core.errors import InputError, LineageError
from components.core.images import write_png
from components.core.records import Pair
from components.train.augment import PairedAugment
from components.train.data import (
    Data,
    PairDataset,
    load_steps,
    pair_at,
    places_of_step,
)
from components.train.fitting import croppable, refuse_other_scale, refuse_small, refuse_unvalidated


def test_every_epoch_shows_every_pair_once_in_another_order() -> None:
    epochs = [
        [pair_at(1, ("generator", position), 7) for position in range(7 * epoch, 7 * epoch + 7)]
        for epoch in range(3)
    ]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_workers_together_take_what_one_would() -> None:
    alone = places_of_step(8, 4, 3, 0, 1)
    shared = [places_of_step(8, 4, 3, rank, 2) for rank in range(2)]
    assert sorted(alone) == sorted([*shared[0], *shared[1]])
    assert alone[-4:] == [("generator", position) for position in range(8, 12)]


def test_a_phase_of_millions_of_images_is_not_laid_out_beforehand(tmp_path: Path) -> None:
    folder, pair = a_pair(tmp_path)
    tracemalloc.start()
    first = next(
        load_steps(
            dataset_of(folder, pair, 16),
            start=0,
            stop=4_000_000,
            batch=4,
            updates=1,
            rank=0,
            size=1,
            processes=0,
            pin=False,
        )
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [picture.shape for picture in first] == [(4, 3, 16, 16)] * 2
    assert most < 20e6


def test_settings_that_wait_for_validations_are_refused_without_pairs_for_them(tmp_path: Path) -> None:
    data = Data.of(make_pairs(tmp_path))
    unvalidated = Data(data.pairset, data.train, ())
    early = {"phases": [{"name": "long", "images": 20, "crop_px": 16, "batch": 2, "early_stopping": {}}]}
    waiting = {
        "keep_best": {"keep_best": "psnr_rgb"},
        "early_stopping of phase long": early,
        "rollback.on diversity": {"rollback": {"on": ["diversity"]}},
    }
    for name, changes in waiting.items():
        refuse_unvalidated(data, config(**changes))
        with pytest.raises(
            LineageError, match=rf"train\.{name} needs validation pairs, and the pair set has none"
        ):
            refuse_unvalidated(unvalidated, config(**changes))
    refuse_unvalidated(unvalidated, config(rollback={"on": ["gradient_norm"]}))


def a_pair(folder: Path, scale: int = 1) -> tuple[Path, Pair]:
    """One pair whose pictures hold the place of every pixel; the input is every `scale`-th
    pixel of the target.
    """
    pair = make_pairs(folder).pairs("train")[0]
    ramp = np.arange(48 * 48, dtype=np.uint32)
    picture = np.stack([ramp % 251, ramp // 48, ramp % 48], axis=1).astype(np.uint8).reshape(48, 48, 3)
    write_png(folder / pair.target, picture)
    write_png(folder / pair.input, np.ascontiguousarray(picture[::scale, ::scale]))
    return folder, pair


def dataset_of(folder: Path, pair: Pair, crop_px: int, **changes: Any) -> PairDataset:
    return PairDataset(folder, (pair,), config(**changes), crop_px)


CHANGING = {
    "augment": {
        "quarter_turns": 1.0,
        "flip_vertical": 0.5,
        "swap_channels": 1.0,
        "brightness": 0.2,
        "contrast": 0.2,
    }
}


def test_the_loader_gives_both_pictures_the_same_crop_and_changes(tmp_path: Path) -> None:
    folder, pair = a_pair(tmp_path)
    dataset = dataset_of(folder, pair, 16, **CHANGING)
    samples = [dataset[("generator", position)] for position in range(8)]
    assert all(torch.equal(input, target) for input, target in samples)
    assert len({bytes(input.numpy().tobytes()) for input, _ in samples}) == 8
    assert torch.equal(dataset_of(folder, pair, 16, **CHANGING)[("generator", 5)][0], samples[5][0])


def test_every_epoch_draws_other_crops(tmp_path: Path) -> None:
    # A constant worker seed makes every epoch repeat the same stream in a popular framework.
    dataset = dataset_of(*a_pair(tmp_path), 16)
    first, second = (
        [bytes(dataset[("generator", 4 * epoch + place)][0].numpy().tobytes()) for place in range(4)]
        for epoch in range(2)
    )
    assert not set(first) & set(second)


def test_a_smaller_input_is_cropped_at_the_same_place_and_turned_alike(tmp_path: Path) -> None:
    folder, pair = a_pair(tmp_path, scale=4)
    plain = {"generator": {"kind": "srresnet", "width": 4, "blocks": 1}, "augment": {"flip": 0.0}}
    for position in range(6):
        input, target = dataset_of(folder, pair, 16, **plain)[("generator", position)]
        assert (input.shape, target.shape) == ((3, 4, 4), (3, 16, 16))
        assert torch.equal(target[:, ::4, ::4], input)
    flipped = plain | {"augment": {"flip": 1.0}}
    input, target = dataset_of(folder, pair, 16, **flipped)[("generator", 0)]
    assert torch.equal(target.flip(2)[:, ::4, ::4], input.flip(2))


def test_photos_smaller_than_the_crop_are_refused_with_what_helps(tmp_path: Path) -> None:
    """A crop of 64 px from 48 px; from photos enlarged 1.25 times, 52 px (64 / 1.25 = 51.2) would
    do.
    """
    pair = make_pairs(tmp_path).pairs("train")[0].model_copy(update={"width": 48, "height": 60})
    large = {"phases": [{"name": "joint", "images": 8, "crop_px": 64, "batch": 2}]}
    with pytest.raises(
        InputError,
        match=(
            r"crops 64 px, but pair .* is 48×60: set its crop_px to 48 or less, or set ingest\.min_px to 64"
            r" to leave"
        ),
    ):
        refuse_small([pair], config(**large), "train")
    with pytest.raises(
        InputError,
        match=(
            r"48×60, enlarged 1\.25 times: set its crop_px to 60 or less, or set ingest\.min_px to 52 to"
            r" leave"
        ),
    ):
        refuse_small([pair], config(**large, augment={"enlarge": 1.25}), "train")
    with pytest.raises(InputError, match=r"or take photos with halves below 64 px out$"):
        refuse_small([pair.model_copy(update={"blur_kind": "side_by_side"})], config(**large), "train")


CROPS_64 = {"phases": [{"name": "joint", "images": 8, "crop_px": 64, "batch": 2}]}


@pytest.mark.parametrize("size", [(63, 80), (6000, 40)])
def test_a_pair_that_is_too_small_stops_no_training(tmp_path: Path, size: tuple[int, int]) -> None:
    data = Data.of(make_pairs(tmp_path, count=10, size_px=80))
    odd = data.train[3].model_copy(update=dict(zip(("width", "height"), size, strict=True)))
    given = replace(data, train=(*data.train[:3], odd, *data.train[4:]))
    kept, left_out = croppable(given, config(**CROPS_64))
    assert [(row.name, row.kind) for row in left_out.left_out] == [(odd.id, "too small")]
    assert kept.train == (*data.train[:3], *data.train[4:])
    assert kept.val == data.val
    refuse_small(kept.train, config(**CROPS_64), "training")


def test_too_many_small_pairs_are_refused_with_all_their_names(tmp_path: Path) -> None:
    data = Data.of(make_pairs(tmp_path, count=10, size_px=80))
    small = tuple(pair.model_copy(update={"width": 20}) for pair in data.train[:3])
    given = replace(data, train=(*small, *data.train[3:]))
    names = ", ".join(pair.id for pair in small)
    said = (
        rf"crops 64 px, but pair .*3 of 10 would be left out, more than train\.max_left_out = 0\.2 .*{names}"
    )
    with pytest.raises(InputError, match=said):
        croppable(given, config(**CROPS_64))
    assert len(croppable(given, config(**CROPS_64, max_left_out=0.3))[0].train) == 7
    none = replace(data, train=small)
    with pytest.raises(InputError, match="nothing is left of training"):
        croppable(none, config(**CROPS_64, max_left_out=1.0))


def test_what_may_be_left_out_makes_no_other_training() -> None:
    assert config().key_digest() == config(max_left_out=0.5).key_digest()


def changed_often(**augment: float) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """A grey ramp with a little colour, and what 300 draws make of it."""
    picture = np.add.outer(np.arange(90, 122, 2), np.arange(0, 48, 3))[:, :, None] + np.array([0, 2, 5])
    change = PairedAugment(config(augment={"flip": 0.0} | augment).augment, 16)
    pairs = [change(picture.astype(np.uint8), picture.astype(np.uint8), position) for position in range(300)]
    assert all(np.array_equal(input, target) for input, target in pairs)
    return picture, [target.astype(int) for _, target in pairs]


@pytest.mark.parametrize(("field", "mirrored"), [("flip", np.fliplr), ("flip_vertical", np.flipud)])
def test_a_photo_is_mirrored_as_often_as_its_probability_says(field: str, mirrored: Any) -> None:
    picture, drawn = changed_often(**{field: 0.25})
    other = [photo for photo in drawn if not np.array_equal(photo, picture)]
    assert all(np.array_equal(photo, mirrored(picture)) for photo in other)
    assert 50 < len(other) < 100


def test_quarter_turns_are_all_four_and_only_as_often_as_asked() -> None:
    picture, drawn = changed_often(quarter_turns=0.5)
    counts = [sum(np.array_equal(photo, np.rot90(picture, turns)) for photo in drawn) for turns in range(4)]
    assert sum(counts) == 300
    assert all(20 < count < 60 for count in counts[1:]), "each an eighth of the draws"


def test_swapped_channels_are_the_photos_own() -> None:
    picture, drawn = changed_often(swap_channels=1.0)
    assert all(np.array_equal(np.sort(photo, axis=2), picture) for photo in drawn)
    assert len({tuple(photo[0, 0]) for photo in drawn}) == 6


def test_brightness_adds_and_contrast_multiplies_up_to_their_bounds() -> None:
    picture, brighter = changed_often(brightness=0.2)
    added = [photo - picture for photo in brighter]
    assert all(np.ptp(step) <= 1 for step in added)
    assert (-52 <= min(map(np.min, added)) < -40, 40 < max(map(np.max, added)) <= 52) == (True, True)
    _, harder = changed_often(contrast=0.2)
    factors = [float((photo * picture).sum() / (picture * picture).sum()) for photo in harder]
    assert all(
        np.abs(photo - factor * picture).max() < 1.5 for photo, factor in zip(harder, factors, strict=True)
    )
    assert (0.79 < min(factors) < 0.84, 1.16 < max(factors) < 1.21) == (True, True)


def test_enlarging_before_the_crop_lets_a_photo_of_the_crops_size_move(tmp_path: Path) -> None:
    folder, pair = a_pair(tmp_path)
    still, jittered = (
        dataset_of(folder, pair, 48, augment={"flip": 0.0, "enlarge": enlarge}) for enlarge in (1.0, 1.25)
    )
    crops = {bytes(jittered[("generator", position)][1].numpy().tobytes()) for position in range(6)}
    assert len({bytes(still[("generator", position)][1].numpy().tobytes()) for position in range(6)}) == 1
    assert len(crops) == 6
    input, target = jittered[("generator", 0)]
    assert torch.equal(input, target)


def test_drawing_with_replacement_repeats_and_misses_pairs() -> None:
    drawn = [pair_at(1, ("generator", position), 50, with_replacement=True) for position in range(50)]
    # Of n draws from n about 1 - 1/e, here 32, are different.
    assert 25 <= len(set(drawn)) <= 39
    assert drawn == [pair_at(1, ("generator", position), 50, with_replacement=True) for position in range(50)]


@pytest.mark.parametrize("anew", [False, True])
def test_the_loader_draws_as_the_recipe_says(anew: bool, tmp_path: Path) -> None:
    rows = make_pairs(tmp_path, count=8).pairs("train")
    for index, pair in enumerate(rows):
        for file in (pair.input, pair.target):
            write_png(tmp_path / file, np.full((48, 48, 3), index, np.uint8))
    dataset = PairDataset(tmp_path, rows, config(with_replacement=anew), 16)
    seen = {int(dataset[("generator", position)][0][0, 0, 0]) for position in range(len(rows))}
    assert (len(seen) < len(rows)) == anew


def test_pairs_of_another_scale_than_the_generators_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the pairs are for scale 1 .*, the generator srresnet enlarges 4 times"
    ):
        refuse_other_scale(make_pairs(tmp_path), config(generator={"kind": "srresnet"}))


def test_pairs_stay_together_whatever_their_files_are_called(tmp_path: Path) -> None:
    # By the order of names the first input would go with the last target.
    rows = make_pairs(tmp_path, count=3).pairs("train")
    renamed = []
    for index, pair in enumerate(rows):
        plain = np.full((48, 48, 3), 50 * (index + 1), np.uint8)
        files = {"input": f"train/input/{index}.png", "target": f"train/target/{9 - index}.png"}
        for file in files.values():
            write_png(tmp_path / file, plain)
        renamed.append(pair.model_copy(update=files))
    dataset = PairDataset(tmp_path, renamed, config(), 16)
    for position in range(9):
        input, target = dataset[("generator", position)]
        assert torch.equal(input, target)
