"""What the discriminators are shown: noise on photos, and restored photos of earlier steps."""

from __future__ import annotations

import pytest
import torch
from small_training import CPU, CRITIC, LOGITS, a_batch, config, seen_by_the_discriminator
from torch import Tensor

from components.nets.modules.discriminator_view import discriminator_view
from components.train.config import History
from components.train.step import GanStep
from components.train.step.image_pool import ImagePool


@pytest.mark.parametrize(("phase_fraction", "level"), [(0.0, 0.1), (0.5, 0.05), (1.0, 0.0)])
def test_instance_noise_falls_on_real_photos_alone_and_fades(phase_fraction: float, level: float) -> None:
    step = GanStep(config(**LOGITS, instance_noise={"std": 0.1}), CPU, {})
    seen = seen_by_the_discriminator(step)
    input, target = a_batch()
    restored = step.generator(input).detach()
    step([(input, target)], step.config.phases[0], 0, 1.0, phase_fraction=phase_fraction)
    assert (seen[0] - target).std().item() == pytest.approx(level, rel=0.1, abs=1e-9)
    assert torch.equal(seen[1], restored)


def test_every_update_draws_noise_of_its_own() -> None:
    step = GanStep(config(**LOGITS | {"discriminator_updates": 3}, instance_noise={"std": 0.1}), CPU, {})
    seen = seen_by_the_discriminator(step)
    step([a_batch()] * 3, step.config.phases[0], 0, 1.0)
    assert len(seen) == 7
    assert not any(torch.equal(seen[0], other) for other in (seen[2], seen[4])), (
        "the same targets in every update"
    )


def test_instance_noise_may_fall_on_restored_photos_too_also_in_the_generators_step() -> None:
    step = GanStep(config(**LOGITS, instance_noise={"std": 0.1, "restored": True, "fade": False}), CPU, {})
    seen = seen_by_the_discriminator(step)
    input, target = a_batch()
    restored = step.generator(input).detach()
    step([(input, target)], step.config.phases[0], 0, 1.0, phase_fraction=1.0)
    assert [round((photo - restored).std().item(), 1) for photo in seen[1:]] == [0.1, 0.1]
    assert not torch.equal(seen[1], seen[2])


def test_what_is_compared_with_is_noisy_too() -> None:
    step = GanStep(
        config(
            adversarial={"kind": "relativistic_average"}, discriminator_updates=1, instance_noise={"std": 0.1}
        ),
        CPU,
        {},
    )
    seen = seen_by_the_discriminator(step)
    input, target = a_batch()
    step([(input, target)], step.config.phases[0], 0, 1.0)
    assert [round((photo - target).std().item(), 2) for photo in (seen[0], seen[2])] == [0.1, 0.1]
    assert not torch.equal(seen[0], seen[2])


def test_a_pool_shows_earlier_photos_about_half_of_the_time() -> None:
    pool = ImagePool(History(size=4), seed=1)
    earlier = 0
    for turn in range(400):
        photo = torch.full((1, 3, 4, 4), float(turn))
        input, restored = pool.exchange(photo, -photo, turn, 0)
        assert torch.equal(input, -restored), "a restored photo stays beside its own input"
        earlier += int(restored[0, 0, 0, 0] != -turn)
        if turn < 4:
            assert earlier == 0, "while it fills, everybody is shown as is"
    assert 160 < earlier < 240


def test_a_photo_that_left_the_pool_does_not_come_back() -> None:
    pool, shown = ImagePool(History(size=4), seed=1), []
    for turn in range(200):
        photo = torch.full((1, 3, 4, 4), float(turn))
        shown.append(pool.exchange(photo, photo, turn, 0)[1][0, 0, 0, 0].item())
    assert max(map(shown.count, shown)) <= 2, (
        "at first as it is, while the pool fills, and once more when another takes its place"
    )
    assert min(shown[100:]) > 50


def test_a_pool_goes_on_from_its_state_and_starts_anew_with_another_crop() -> None:
    pool, resumed = ImagePool(History(size=2), seed=1), ImagePool(History(size=2), seed=1)
    for turn in range(5):
        pool.exchange(torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4), turn, 0)
    resumed.load_state(pool.state(), torch.device("cpu"))
    photos = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(pool.exchange(*photos, 9, 0), resumed.exchange(*photos, 9, 0), strict=True)
    )
    larger = torch.rand(2, 3, 8, 8)
    assert torch.equal(pool.exchange(larger, larger, 10, 0)[1], larger)


def test_the_discriminator_learns_from_the_pool_and_the_generator_from_its_own_photo() -> None:
    step = GanStep(config(**LOGITS, history={"size": 1}), CPU, {})
    seen = seen_by_the_discriminator(step)
    shown_earlier = 0
    for turn in range(12):
        seen.clear()
        input, target = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(turn)) * 2 - 1
        restored = step.generator(input).detach()
        step([(input, target)], step.config.phases[0], 2 * turn, 1.0)
        shown_earlier += int(not torch.equal(seen[1], restored))
        assert torch.equal(seen[2], restored)
    assert 4 <= shown_earlier <= 12


def test_a_penalty_between_photos_of_two_inputs_sees_what_lies_between_the_inputs() -> None:
    tricks = {
        "history": {"size": 1},
        "adversarial": {"kind": "wgan_gp"},
        "discriminators": [CRITIC | {"conditional": True}],
        "discriminator_updates": 1,
    }
    step = GanStep(config(**tricks), CPU, {})
    seen = seen_by_the_discriminator(step)
    for turn in range(8):
        seen.clear()
        input, target = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(turn)) * 2 - 1
        step([(input, target)], step.config.phases[0], 2 * turn, 1.0)
        for real, pooled, between in zip(*seen[:3], strict=True):
            # One number places the photo, and its input with it.
            share = ((between - pooled) / (real - pooled))[(real - pooled).abs() > 0.1]
            torch.testing.assert_close(share, share[:1].expand_as(share), rtol=1e-3, atol=1e-3)


def test_a_small_input_stays_beside_its_enlargement_in_the_pool() -> None:
    tricks = {
        "history": {"size": 2},
        "discriminators": [CRITIC | {"conditional": True}],
        "generator": {"kind": "srresnet", "width": 4, "blocks": 1},
    }
    step = GanStep(config(**LOGITS | tricks), CPU, {})
    seen = seen_by_the_discriminator(step)
    made: list[Tensor] = []
    for turn in range(6):
        seen.clear()
        source = torch.Generator().manual_seed(turn)
        input, target = (torch.rand(2, 3, side, side, generator=source) * 2 - 1 for side in (4, 16))
        part = step.config.discriminators[0]
        made += [discriminator_view(part, step.generator(input).detach(), input)]
        step([(input, target)], step.config.phases[0], 2 * turn, 1.0)
        for photo in seen[1]:  # the pool rounds to half precision
            assert any((photo - earlier).abs().max() < 2e-3 for earlier in torch.cat(made))
