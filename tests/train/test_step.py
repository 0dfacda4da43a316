"""One step: who moves, who rests, what each trick does to the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from small_training import CPU, CRITIC, a_batch, config, copy_of
from torch import Tensor

from components.train.config import History
from components.train.pool import Pool
from components.train.step import GanStep
from components.train.world import World

LOGITS = {"adversarial": {"kind": "cross_entropy"}, "discriminator_updates": 1}
BATCHED = {"kind": "resnet", "width": 4, "blocks": 1, "norm": "batch", "dropout": 0.0}


def seen_by_the_discriminator(step: GanStep) -> list[Tensor]:
    """Fills with every photo that the first discriminator is shown."""
    seen: list[Tensor] = []
    step.discriminators[0].register_forward_pre_hook(lambda net, given: seen.append(given[0].detach().clone()))
    return seen


def steps_of(optimizer: torch.optim.Optimizer | None) -> int:
    assert optimizer is not None
    return int(next(iter(optimizer.state.values()))["step"].item())


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


def test_the_discriminator_rests_while_the_generator_steps() -> None:
    step = GanStep(config(phases=[{"name": "content", "images": 2, "crop_px": 16, "batch": 2, "adversarial": False}]), CPU, {})
    before = copy_of(step.discriminators[0])
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert all(torch.equal(old, new) for old, new in zip(before, step.discriminators[0].parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in step.discriminators[0].parameters())


def test_the_generators_update_leaves_no_gradient_in_the_discriminator() -> None:
    step = GanStep(config(), CPU, {})
    step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    kept = [None if parameter.grad is None else parameter.grad.clone() for parameter in step.discriminators[0].parameters()]
    given, sharp = a_batch()
    step._update_generator(given, sharp, step._restored(given), judged=True)
    for before, parameter in zip(kept, step.discriminators[0].parameters(), strict=True):
        assert before is not None
        assert parameter.grad is not None
        assert torch.equal(before, parameter.grad)


def test_an_adversarial_phase_moves_both_nets() -> None:
    step = GanStep(config(), CPU, {})
    generator, critic = copy_of(step.generator), copy_of(step.discriminators[0])
    for seen in (0, 2):  # the head begins at zero: it moves first, the layers before it in the next step
        step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
    assert not any(torch.equal(old, new) for old, new in zip(generator, step.generator.parameters(), strict=True))
    assert not torch.equal(critic[0], next(step.discriminators[0].parameters()))


def test_the_average_lags_behind_and_a_high_decay_lags_more() -> None:
    distances = []
    for decay in (0.5, 0.1, 0.0):
        step = GanStep(config(ema=decay), CPU, {})
        for seen in range(0, 12, 2):
            step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
        distances.append(sum((kept - now).abs().sum().item() for kept, now in zip(step.average.parameters(), step.generator.parameters(), strict=True)))
    assert distances[0] > distances[1] > distances[2] == 0


def test_the_average_moves_by_the_published_amount() -> None:
    step = GanStep(config(ema=0.9), CPU, {})
    step.steps_done = 1000  # beyond the faster beginning
    before, now = copy_of(step.average), copy_of(step.generator)
    with torch.no_grad():
        for parameter in step.generator.parameters():
            parameter.add_(1.0)
    step._update_average()
    for kept, old, present in zip(step.average.parameters(), before, now, strict=True):
        torch.testing.assert_close(kept.detach(), 0.9 * old + 0.1 * (present + 1.0))


def test_bfloat16_keeps_weights_and_losses_in_float32() -> None:
    step = GanStep(config(precision="bf16"), CPU, {})
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert {parameter.dtype for parameter in step.generator.parameters()} == {torch.float32}
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_a_conditional_discriminator_sees_the_input_beside_the_photo() -> None:
    step = GanStep(config(discriminators=[CRITIC | {"conditional": True}, CRITIC | {"shrink": 2, "weight": 0.4}]), CPU, {})
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert next(step.discriminators[0].parameters()).shape[1] == 6
    assert {"discriminator_0/real", "discriminator_1/real", "generator/adversarial_1"} <= set(terms)
    assert terms["generator/adversarial_1_weighted"].item() == pytest.approx(0.4 * 0.1 * terms["generator/adversarial_1"].item(), rel=1e-5)


def test_reused_photos_are_the_same_as_handing_them_in_three_times() -> None:
    again = GanStep(config(**LOGITS | {"discriminator_updates": 3, "discriminator_reuse": True}), CPU, {})
    fresh = GanStep(config(**LOGITS | {"discriminator_updates": 3}), CPU, {})
    again([a_batch()], again.config.phases[0], 0, 1.0)
    fresh([a_batch()] * 3, fresh.config.phases[0], 0, 1.0)
    assert steps_of(again.discriminator_optimizer) == 3
    for ours, theirs in zip(again.discriminators[0].parameters(), fresh.discriminators[0].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_split_updates_are_one_adam_step_on_real_then_one_on_restored() -> None:
    # Without normalisation: a bias in front of it has no gradient but rounding, and Adam walks on that.
    step = GanStep(config(**LOGITS | {"split_updates": True, "discriminators": [CRITIC | {"norm": "none"}]}), CPU, {})
    given, sharp = a_batch()
    critic = copy.deepcopy(step.discriminators[0])
    settings = step.config.discriminator_optimizer
    by_hand = torch.optim.Adam(critic.parameters(), lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.epsilon)
    for photo, sign in ((sharp, -1), (step.generator(given).detach(), 1)):
        by_hand.zero_grad()
        torch.nn.functional.softplus(sign * critic(photo)).mean().backward()
        by_hand.step()
    step([(given, sharp)], step.config.phases[0], 0, 1.0)
    assert steps_of(step.discriminator_optimizer) == 2
    for ours, theirs in zip(step.discriminators[0].parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_generator_is_judged_by_the_discriminator_after_its_step_or_before(simultaneous: bool) -> None:
    step = GanStep(config(**LOGITS, simultaneous=simultaneous, discriminator_optimizer={"lr": 0.05}), CPU, {})
    given, sharp = a_batch()
    restored, before = step.generator(given).detach(), copy.deepcopy(step.discriminators[0])
    terms = step([(given, sharp)], step.config.phases[0], 0, 1.0)
    judge = before if simultaneous else step.discriminators[0]
    wanted = torch.nn.functional.softplus(-judge(restored)).mean()
    torch.testing.assert_close(terms["generator/adversarial_0"], wanted.detach())
    assert steps_of(step.discriminator_optimizer) == 1
    assert not same(copy_of(before), copy_of(step.discriminators[0]))


def test_one_pass_of_the_generator_serves_both() -> None:
    step = GanStep(config(**LOGITS), CPU, {})
    passes: list[int] = []
    step.generator.register_forward_hook(lambda *about: passes.append(1))
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert len(passes) == 1


@pytest.mark.parametrize(("share", "level"), [(0.0, 0.1), (0.5, 0.05), (1.0, 0.0)])
def test_instance_noise_falls_on_real_photos_alone_and_fades(share: float, level: float) -> None:
    step = GanStep(config(**LOGITS, instance_noise={"std": 0.1}), CPU, {})
    seen = seen_by_the_discriminator(step)
    given, sharp = a_batch()
    restored = step.generator(given).detach()
    step([(given, sharp)], step.config.phases[0], 0, 1.0, share=share)
    assert (seen[0] - sharp).std().item() == pytest.approx(level, rel=0.1, abs=1e-9)
    assert torch.equal(seen[1], restored)


def test_instance_noise_may_fall_on_restored_photos_too_also_in_the_generators_step() -> None:
    step = GanStep(config(**LOGITS, instance_noise={"std": 0.1, "restored": True, "fade": False}), CPU, {})
    seen = seen_by_the_discriminator(step)
    given, sharp = a_batch()
    restored = step.generator(given).detach()
    step([(given, sharp)], step.config.phases[0], 0, 1.0, share=1.0)
    assert [round((photo - restored).std().item(), 1) for photo in seen[1:]] == [0.1, 0.1]
    assert not torch.equal(seen[1], seen[2])


def test_a_pool_shows_earlier_photos_about_half_of_the_time() -> None:
    pool = Pool(History(size=4), seed=1)
    earlier = 0
    for turn in range(400):
        photo = torch.full((1, 3, 4, 4), float(turn))
        given, restored = pool.exchange(photo, -photo, turn, 0)
        assert torch.equal(given, -restored), "a restored photo stays beside its own input"
        earlier += int(restored[0, 0, 0, 0] != -turn)
        if turn < 4:
            assert earlier == 0, "while it fills, everybody is shown as is"
    assert 160 < earlier < 240


def test_a_pool_goes_on_from_its_state_and_starts_anew_with_another_crop() -> None:
    pool, resumed = Pool(History(size=2), seed=1), Pool(History(size=2), seed=1)
    for turn in range(5):
        pool.exchange(torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4), turn, 0)
    resumed.load_state(pool.state(), torch.device("cpu"))
    photos = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(pool.exchange(*photos, 9, 0), resumed.exchange(*photos, 9, 0), strict=True))
    larger = torch.rand(2, 3, 8, 8)
    assert torch.equal(pool.exchange(larger, larger, 10, 0)[1], larger)


def test_the_discriminator_learns_from_the_pool_and_the_generator_from_its_own_photo() -> None:
    step = GanStep(config(**LOGITS, history={"size": 1}), CPU, {})
    seen = seen_by_the_discriminator(step)
    shown_earlier = 0
    for turn in range(12):
        seen.clear()
        given, sharp = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(turn)) * 2 - 1
        restored = step.generator(given).detach()
        step([(given, sharp)], step.config.phases[0], 2 * turn, 1.0)
        shown_earlier += int(not torch.equal(seen[1], restored))
        assert torch.equal(seen[2], restored)
    assert 4 <= shown_earlier <= 12


def test_each_net_moves_at_its_own_rate() -> None:
    # Adam's first step is the learning rate itself wherever there is a gradient.
    step = GanStep(config(**LOGITS, generator_optimizer={"lr": 0.001}, discriminator_optimizer={"lr": 0.004}), CPU, {})
    generator, critic = copy_of(step.generator), copy_of(step.discriminators[0])
    step([a_batch()], step.config.phases[0], 0, 0.5)
    moved = max((old - new).abs().max().item() for old, new in zip(critic, step.discriminators[0].parameters(), strict=True))
    head = max((old - new).abs().max().item() for old, new in zip(generator, step.generator.parameters(), strict=True))
    assert moved == pytest.approx(0.002, rel=1e-2)
    assert head == pytest.approx(0.0005, rel=1e-2)


def test_half_the_discriminators_weight_halves_its_terms_and_not_the_generators() -> None:
    whole, half = ({"adversarial": {"kind": "cross_entropy", "discriminator_weight": weight}, "discriminator_updates": 1} for weight in (1.0, 0.5))
    first, second = (GanStep(config(**settings), CPU, {}) for settings in (whole, half))
    ones, halves = (step([a_batch()], step.config.phases[0], 0, 1.0) for step in (first, second))
    torch.testing.assert_close(halves["discriminator_0/real"], ones["discriminator_0/real"] / 2)
    torch.testing.assert_close(halves["discriminator/total"], ones["discriminator/total"] / 2)
    torch.testing.assert_close(halves["generator/adversarial_0"], ones["generator/adversarial_0"], rtol=1e-3, atol=1e-4)


def test_clipping_holds_every_weight_of_the_critic() -> None:
    step = GanStep(config(adversarial={"kind": "wasserstein", "clip": 0.01}, discriminator_updates=1, discriminator_optimizer={"lr": 0.1}), CPU, {})
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert max(parameter.abs().max().item() for parameter in step.discriminators[0].parameters()) == pytest.approx(0.01)


def test_a_phase_may_name_the_losses_that_count_in_it() -> None:
    phases = [
        {"name": name, "images": 2, "crop_px": 16, "batch": 2, "adversarial": False, "content": content} for name, content in (("a", ["l1"]), ("b", None))
    ]
    step = GanStep(config(content=[{"kind": "l1"}, {"kind": "l2"}], phases=phases), CPU, {})
    first, second = (step([a_batch()], phase, 0, 1.0) for phase in step.config.phases)
    assert "generator/l2" not in first
    torch.testing.assert_close(first["generator/total"], first["generator/l1"])
    assert {"generator/l1", "generator/l2"} <= set(second)


def test_the_average_takes_running_statistics_along() -> None:
    step = GanStep(config(generator=BATCHED, ema=0.5, **LOGITS), CPU, {})
    step.steps_done = 1000
    before = [buffer.clone() for buffer in step.average.buffers() if buffer.is_floating_point()]
    step([a_batch()], step.config.phases[0], 0, 1.0)
    now = [buffer for buffer in step.generator.buffers() if buffer.is_floating_point()]
    kept = [buffer for buffer in step.average.buffers() if buffer.is_floating_point()]
    assert not same(before, now)
    for average, old, present in zip(kept, before, now, strict=True):
        torch.testing.assert_close(average, 0.5 * old + 0.5 * present)


def test_dropout_is_drawn_by_position() -> None:
    dropping = {"generator": {"kind": "resnet", "width": 8, "blocks": 1, "dropout": 0.5}, **LOGITS}
    totals = []
    for seen in (0, 0, 2):
        step = GanStep(config(**dropping), CPU, {})
        totals.append(step([a_batch()], step.config.phases[0], seen, 1.0)["generator/total"].item())
    assert totals[0] == totals[1] != totals[2]


def test_every_worker_draws_its_share_of_what_one_would_draw() -> None:
    phase = config().phases[0].model_copy(update={"batch": 4})
    drawn = []
    for rank, size in ((0, 1), (0, 2), (1, 2)):
        step = GanStep(config(), World(rank, size, torch.device("cpu")), {})
        step._images_seen, step._phase = 8, phase
        drawn.append(step._drawn(torch.randn, (3,), "test", 0))
    assert torch.equal(drawn[0], torch.stack([drawn[1], drawn[2]], dim=1).flatten(0, 1))
