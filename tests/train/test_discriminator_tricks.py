"""What steadies discriminators: changes of what they see, a penalty on their slope, their features as a
measure for the generator.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from small_training import CPU, CRITIC, LOGITS, NET, a_batch, config, copy_of, seen_by_the_discriminator
from torch import Tensor

from components.nets.discriminators import Discriminator
from components.train.config import DiffAugment
from components.train.step import GanStep
from components.train.step.diff_augment import Changes
from components.train.step.draws import StepDraws

DRAWS = StepDraws(seed=3, images_seen=0, batch=4, world=CPU)


def photos(seed: int = 1, count: int = 4, side: int = 16) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def changed(photo: Tensor, **settings: Any) -> Tensor:
    nothing: dict[str, Any] = {"colour": False, "translation": 0.0, "cutout": 0.0}
    return Changes(DiffAugment(**nothing | settings), DRAWS)(photo, photo, "real", 0)[1]


def test_without_a_part_nothing_is_changed() -> None:
    assert torch.equal(changed(photos()), photos())


def test_a_photo_is_moved_by_whole_px_and_zeros_follow() -> None:
    before, after = photos(), changed(photos(), translation=0.25)

    def wide(one: Tensor) -> Tensor:
        return torch.nn.functional.pad(one, (4, 4, 4, 4))

    moves = set()
    for old, new in zip(before, after, strict=True):
        found = [
            (down, right)
            for down in range(-4, 5)
            for right in range(-4, 5)
            if torch.equal(
                torch.nn.functional.pad(old, (4, 4, 4, 4))[:, 4 - down : 20 - down, 4 - right : 20 - right],
                new,
            )
        ]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) > 1


def test_a_square_of_each_photo_is_cut_out() -> None:
    gone = (changed(photos() + 5, cutout=0.5) == 0).all(1)
    for one in gone:
        rows, columns = one.any(1).sum(), one.any(0).sum()
        assert one.sum() == rows * columns > 0
        assert max(rows, columns) <= 8


def test_colours_change_brightness_saturation_and_contrast_alone() -> None:
    before, after = photos(), changed(photos(), colour=True)
    for old, new in zip(before, after, strict=True):
        grey_old, grey_new = old.mean(0).flatten(), new.mean(0).flatten()
        assert torch.corrcoef(torch.stack([grey_old, grey_new]))[0, 1] == pytest.approx(1, abs=1e-4)
    assert not torch.allclose(before, after, atol=0.05)


def test_a_photo_and_its_input_are_changed_alike_and_the_sides_by_draws_of_their_own() -> None:
    change = Changes(DiffAugment(), DRAWS)
    input, photo = change(photos(), photos(), "real", 0)
    assert torch.equal(input, photo)
    assert not torch.equal(change(photos(), photos(), "restored", 0)[1], photo)
    assert not torch.equal(change(photos(), photos(), "real", 1)[1], photo)
    smaller = photos(side=8)
    assert torch.equal(change(smaller, photos(), "real", 0)[0], smaller)


def test_the_generator_learns_through_the_changes() -> None:
    photo = photos().requires_grad_()
    (slope,) = torch.autograd.grad(
        changed(photo, colour=True, translation=0.1, cutout=0.3).square().sum(), photo
    )
    assert (slope != 0).float().mean() > 0.4


def test_all_that_a_discriminator_sees_is_changed_and_the_content_losses_see_the_photo() -> None:
    tricks: dict[str, Any] = {"diff_augment": {}, "discriminators": [CRITIC | {"conditional": True}]}
    step, plain = (
        GanStep(config(**LOGITS | more), CPU, {})
        for more in (tricks, {"discriminators": tricks["discriminators"]})
    )
    seen, seen_plain = seen_by_the_discriminator(step), seen_by_the_discriminator(plain)
    terms, of_plain = (each([a_batch()], each.config.phases[0], 0, 1.0) for each in (step, plain))
    assert len(seen) == len(seen_plain) == 3
    assert not any(torch.equal(ours, theirs) for ours, theirs in zip(seen, seen_plain, strict=True))
    assert torch.equal(terms["generator/l1"], of_plain["generator/l1"])


def test_r1_is_half_gamma_times_the_squared_slope_and_comes_as_seldom_as_it_is_heavy() -> None:
    step = GanStep(config(**LOGITS, r1={"gamma": 2.0, "every": 3}), CPU, {})
    photo = a_batch()[1].requires_grad_()
    score = step.discriminators[0](photo).flatten(1).mean(1).sum()
    (slope,) = torch.autograd.grad(score, photo)
    wanted = 3 * slope.flatten(1).square().sum(1).mean()
    told = [step([a_batch()], step.config.phases[0], 2 * turn, 1.0) for turn in range(4)]
    assert ["discriminator_0/r1" in terms for terms in told] == [True, False, False, True]
    assert float(told[0]["discriminator_0/r1"]) == pytest.approx(float(wanted), rel=1e-5)


def test_r1_flattens_a_discriminator_at_real_photos() -> None:
    slopes = []
    for gamma in (1e-6, 100.0):
        step = GanStep(
            config(**LOGITS, discriminator_optimizer={"lr": 0.01}, r1={"gamma": gamma, "every": 1}), CPU, {}
        )
        for turn in range(15):
            step([a_batch()], step.config.phases[0], 2 * turn, 1.0)
        photo = a_batch()[1].requires_grad_()
        slopes.append(torch.autograd.grad(step.discriminators[0](photo).mean(), photo)[0].norm())
    assert slopes[1] < 0.5 * slopes[0]


def test_features_that_match_cost_nothing_and_others_draw_the_generator() -> None:
    nothing_else = [{"kind": "l1", "weight": 1e-9}]
    step = GanStep(config(**LOGITS, feature_matching=10.0, content=nothing_else), CPU, {})
    group = step.restoring.discriminators
    photo = photos()
    logits, found = group.features(0, photo, photo)
    assert torch.equal(logits, group.logits(0, photo, photo))
    assert len(found) == 2
    before = copy_of(step.generator)
    terms = step([a_batch()], step.config.phases[0], 0, 1.0)
    assert float(terms["generator/feature_matching_0"]) > 0
    assert not torch.equal(before[-1], list(step.generator.parameters())[-1])
    input, target = a_batch()
    with torch.no_grad():
        real, restored = (group.features(0, one, input)[1] for one in (target, target))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(real, restored, strict=True))


PATCH = {"layers": 1, "width": 4, "norm": "instance"}
DENSE = {"width": 4, "dense": 8, "crop_px": 32, "norm": "instance"}
EVERY: list[dict[str, Any]] = [
    PATCH | {"kind": "patchgan"},
    PATCH | {"kind": "temporal_patchgan"},
    {"kind": "pixel", "width": 4, "norm": "instance"},
    DENSE | {"kind": "patch_dense", "layers": 2},
    {"kind": "unet", "width": 4},
    DENSE | {"kind": "srgan"},
]


def test_every_kind_is_given_the_tricks() -> None:
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Discriminator)[0])}
    assert {part["kind"] for part in EVERY} == kinds


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part["kind"])
def test_every_kind_has_features_to_match_a_slope_and_sees_changes(part: dict[str, Any]) -> None:
    video = part["kind"] == "temporal_patchgan"  # whose neighbours in time are not changed alike
    flow = {"kind": "video_flow", "width": 4, "depth": 1, "flow_levels": 2, "flow_shrink": 2}
    settings: dict[str, Any] = {
        "generator": flow if video else NET,
        "discriminators": [part],
        "adversarial": {"kind": "least_squares"},
        "discriminator_updates": 1,
        "feature_matching": 1.0,
        "r1": {"every": 1},
        "diff_augment": None if video else {},
        "phases": [{"name": "joint", "images": 4, "crop_px": 32, "batch": 2}],
    }
    step = GanStep(config(**settings), CPU, {})
    source = torch.Generator().manual_seed(2)
    window = step.config.generator.window
    input, target = (torch.rand(2, 3 * count, 32, 32, generator=source) * 2 - 1 for count in (window, 1))
    restored = target.clone().requires_grad_()
    _, found = step.restoring.discriminators.features(0, restored, input)
    for layer in found:
        (slope,) = torch.autograd.grad(layer.float().square().mean(), restored, retain_graph=True)
        assert slope.abs().sum() > 0
    terms = step([(input, target)], step.config.phases[0], 0, 1.0)
    assert float(terms["generator/feature_matching_0"]) > 0
    assert float(terms["discriminator_0/r1"]) > 0
    assert all(bool(torch.isfinite(value).all()) for value in terms.values())
