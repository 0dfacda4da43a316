"""Pairs made in training: the crop of the picture that would lie in a file, a new one each time,
whoever makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fresh_pairs import SETTINGS, fresh_set
from pydantic import ValidationError
from small_training import CPU, KilledError, Memory, config, run, weights_of

from components.core.errors import LineageError
from components.core.images import decode
from components.core.records import PairSet, Photo, PhotoSet
from components.core.seeds import seed_of
from components.optics.degradation import Degradation, plans
from components.optics.light import light_of, lit, stored
from components.synthesize.config import SynthesizeConfig
from components.train.data import Data, load_steps, pair_at, places_of_step
from components.train.on_the_fly import FreshPairs, synthesized_on, training_set

Fresh = tuple[PhotoSet, PairSet]
CROP = 32
CHANGING = {
    "flip": 0.5,
    "flip_vertical": 0.5,
    "quarter_turns": 1.0,
    "swap_channels": 1.0,
    "brightness": 0.2,
    "contrast": 0.2,
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return fresh_set(tmp_path_factory.mktemp("fresh"))


def dataset(pairset: PairSet, crop_px: int = CROP, **changes: Any) -> FreshPairs:
    found = training_set(Data.of(pairset), config(**changes), crop_px, torch.device("cpu"))
    assert isinstance(found, FreshPairs)
    return found


def batch_of(made: FreshPairs, places: Sequence[tuple[str, int]]) -> list[torch.Tensor]:
    return made.finished(made.__getitems__(places))


def as_a_file(fresh: Fresh, photo: Photo, pair_seed: int, settings: dict[str, Any]) -> np.ndarray[Any, Any]:
    """What synthesize writes for a photo and a pair's seed: the whole picture, from the photo that
    was ingested.
    """
    made = SynthesizeConfig.model_validate(settings)
    linear = made.camera.linear_light
    light = light_of(
        decode((fresh[0].folder / photo.file).read_bytes()), linear=linear, max_side_px=made.max_side_px
    )
    if made.downscale is not None:
        light = made.downscale.cut(light)
        plain = stored(light, linear=linear)
        target = made.downscale.train_target(plain)
        light = (
            light
            if target is plain
            else lit(target[:, :, 0] if photo.channels == 1 else target, linear=linear)
        )
    return plans(made.degradation, [pair_seed])[0].blurred(light)


def offset_in(whole: np.ndarray[Any, Any], part: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Every place where a picture shows exactly the part."""
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape[:2], axis=(0, 1)).transpose(
        0, 1, 3, 4, 2
    )
    return [(int(row), int(column)) for row, column in np.argwhere((windows == part).all(axis=(2, 3, 4)))]


SETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sensor": {"camera": {"highlights": {}, "sensor": {}}},
    "downscale": {"downscale": {"scale": 4}},
    "second order": {"downscale": {"kind": "second_order", "scale": 4}},
}


@pytest.mark.parametrize("changes", SETS.values(), ids=SETS)
def test_the_inputs_crop_is_cut_from_the_picture_that_would_lie_in_a_file(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    fresh = fresh_set(tmp_path, **changes)
    scale = fresh[1].scale
    net = {"generator": {"kind": "srresnet", "width": 4, "blocks": 1}} if scale > 1 else {}
    made = dataset(fresh[1], augment={"flip": 0.0}, **net)
    photos, sources = {photo.id: photo for photo in fresh[0].photos()}, fresh[1].source_photos()
    assert {photos[source.photo].bits for source in sources} == {8, 16}
    for place in [("generator", position) for position in range(8)] + [("discriminator 1", 3)]:
        source = sources[pair_at(3, place, len(sources))]
        input, target = (side.permute(1, 2, 0).numpy() for side in made[place])
        whole = as_a_file(fresh, photos[source.photo], seed_of(5, source.photo, *place), SETTINGS | changes)
        found = offset_in(whole, input)
        assert len(found) == 1, "the crop is nowhere in the picture, or the picture is too plain"
        top, left = (scale * first for first in found[0])
        wanted = decode((fresh[1].folder / source.target).read_bytes()).pixels[
            top : top + CROP, left : left + CROP
        ]
        assert np.array_equal(target, wanted)


def test_an_enlarged_pair_is_the_enlarged_pair_of_files(fresh: Fresh) -> None:
    """The crop is all of the enlarged pair: 70 px, enlarged 1.5 times, less what is cut off for a
    square.
    """
    made = dataset(fresh[1], 96, augment={"flip": 0.0, "enlarge": 1.5})
    sources = fresh[1].source_photos()
    place = next(
        ("generator", position)
        for position in range(9)
        if sources[pair_at(3, ("generator", position), 4)].channels == 3
    )
    source = sources[pair_at(3, place, len(sources))]
    photo = next(photo for photo in fresh[0].photos() if photo.id == source.photo)
    import cv2

    whole = as_a_file(fresh, photo, seed_of(5, photo.id, *place), SETTINGS)
    larger = cv2.resize(
        whole, (int(whole.shape[1] * 1.5), int(whole.shape[0] * 1.5)), interpolation=cv2.INTER_CUBIC
    )
    assert len(offset_in(larger, made[place][0].permute(1, 2, 0).numpy())) == 1


def test_no_blur_comes_twice_and_every_one_comes_again_after_a_restart(fresh: Fresh) -> None:
    places = [(name, position) for name in ("generator", "discriminator 1") for position in range(16)]
    plain = {"augment": {"flip": 0.0}, "phases": [{"name": "joint", "images": 4, "crop_px": 64, "batch": 2}]}
    first, again = (dataset(fresh[1], 64, **plain) for _ in range(2))
    drawn = [plan.effect.psf.tobytes() for _, plan in first._drawn(places)]
    assert len(set(drawn)) == len(places)
    together = batch_of(first, places)
    for number in (31, 0, 17):
        input, target = again[places[number]]
        assert torch.equal(input, together[0][number])
        assert torch.equal(target, together[1][number])


def test_another_seed_of_the_set_draws_other_blurs_on_the_same_crops(fresh: Fresh, tmp_path: Path) -> None:
    other = fresh_set(tmp_path, seed=6)[1]
    ours, theirs = (dataset(pairset)[("generator", 2)] for pairset in (fresh[1], other))
    assert torch.equal(ours[1], theirs[1])
    assert not torch.equal(ours[0], theirs[0])
    assert fresh[1].digest != other.digest


def test_ten_steps_equal_five_plus_five(fresh: Fresh) -> None:
    whole, halves, rest = Memory(), Memory(die_after=13), Memory()
    run(config(), fresh[1], whole)
    with pytest.raises(KilledError):
        run(config(), fresh[1], halves)
    rest.states = halves.states
    assert run(config(), fresh[1], rest).images_seen == 20
    for ours, theirs in zip(weights_of(rest.states[-1]), weights_of(whole.states[-1]), strict=True):
        assert torch.equal(ours, theirs)


def loaded(
    pairset: PairSet, *, rank: int = 0, size: int = 1, processes: int = 0, **changes: Any
) -> list[list[torch.Tensor]]:
    made = dataset(pairset, augment=CHANGING, **changes)
    return list(
        load_steps(
            made, start=4, stop=16, batch=4, updates=2, rank=rank, size=size, processes=processes, pin=False
        )
    )


def test_two_loader_processes_load_what_none_does(fresh: Fresh) -> None:
    none, two = (loaded(fresh[1], processes=processes, synthesize_on="device") for processes in (0, 2))
    assert len(none) == len(two) == 3
    for ours, theirs in zip(none, two, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("synthesize_on", ["processor", "device"])
def test_two_ranks_together_load_what_one_does(fresh: Fresh, synthesize_on: str) -> None:
    alone = loaded(fresh[1], synthesize_on=synthesize_on)
    shared = [loaded(fresh[1], rank=rank, size=2, synthesize_on=synthesize_on) for rank in range(2)]
    for step, whole in enumerate(alone):
        places = {place: number for number, place in enumerate(places_of_step(4 + 4 * step, 4, 2, 0, 1))}
        for rank in range(2):
            mine = [places[place] for place in places_of_step(4 + 4 * step, 4, 2, rank, 2)]
            assert all(
                torch.equal(ours, all_of[mine])
                for ours, all_of in zip(shared[rank][step], whole, strict=True)
            )


@pytest.mark.parametrize("augment", [{"flip": 0.5}, CHANGING], ids=["flips", "everything"])
@pytest.mark.parametrize("scale", [1, 4])
def test_the_device_crops_and_changes_as_the_processor(
    tmp_path: Path, augment: dict[str, float], scale: int
) -> None:
    """Without blur and noise there is nothing to round: the two are equal to the last level, JPEG
    and turns included.
    """
    changes = {"blurs": [{"kind": "none"}], "camera": {"noise": None}}
    _, pairset = fresh_set(
        tmp_path,
        **changes,
        **({"downscale": {"scale": scale, "kernel": "bilinear_plain"}} if scale > 1 else {}),
    )
    net = {"generator": {"kind": "srresnet", "width": 4, "blocks": 1}} if scale > 1 else {}
    places = [("generator", position) for position in range(24)]
    one, other = (
        batch_of(dataset(pairset, augment=augment, synthesize_on=way, **net), places)
        for way in ("processor", "device")
    )
    assert torch.equal(one[1], other[1])
    assert torch.equal(one[0], other[0])


def test_what_has_no_form_on_the_device_comes_from_the_processor(tmp_path: Path) -> None:
    _, pairset = fresh_set(
        tmp_path, camera={"webp": {}, "noise": None}, blurs=[{"kind": "none"}, {"kind": "spin"}]
    )
    places = [("generator", position) for position in range(16)]
    made = dataset(pairset, augment=CHANGING, synthesize_on="device")
    assert 0 < made.__getitems__(places)["to_render"].numel() < 16
    wanted = batch_of(dataset(pairset, augment=CHANGING, synthesize_on="processor"), places)
    found = batch_of(made, places)
    assert torch.equal(found[1], wanted[1])
    assert (found[0] != wanted[0]).float().mean() < 5e-3


def test_where_pairs_are_made() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    assert (synthesized_on(config(), cpu), synthesized_on(config(), gpu)) == ("processor", "device")
    assert synthesized_on(config(augment={"enlarge": 1.2}), gpu) == "processor"
    assert synthesized_on(config(synthesize_on="processor"), gpu) == "processor"
    with pytest.raises(
        ValidationError,
        match=(
            r"enlarge is 1\.2, and enlarging before the crop has no form on the device: set synthesize_on to"
            r" processor"
        ),
    ):
        config(augment={"enlarge": 1.2}, synthesize_on="device")
    assert config().key_digest() == config(synthesize_on="processor").key_digest()


def test_validation_and_training_on_a_device_run_through(fresh: Fresh) -> None:
    memory = Memory()
    assert run(config(synthesize_on="device"), fresh[1], memory).images_seen == 20
    assert CPU.leads
    assert "validation/psnr_rgb" in memory.values[20]


def test_a_degradation_that_this_version_does_not_know_is_refused(fresh: Fresh) -> None:
    way = fresh[1].on_the_fly
    assert way is not None
    blurs = [{"kind": "from_the_future"}]
    later = fresh[1].model_copy(
        update={"on_the_fly": way.model_copy(update={"degradation": {**way.degradation, "blurs": blurs}})}
    )
    later._folder = fresh[1].folder
    with pytest.raises(
        LineageError, match=r"degradation cannot be read by this version \(blurs\.0: .*run synthesize again"
    ):
        dataset(later)
    assert Degradation.model_validate(way.degradation).blurs[0].kind == "random_trajectory"
