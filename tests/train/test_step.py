"""One step: who moves, who rests, what each trick does to the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from small_training import CPU, CRITIC, LEARNING, LOGITS, a_batch, config, content_phase, copy_of

from components.train.step import GanStep
from components.train.step.domain_mapping import MappedPhotos
from components.train.step.draws import StepDraws
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.weight_average import WeightAverage
from components.train.worker_group import World

BATCHED = {"kind": "resnet", "width": 4, "blocks": 1, "norm": "batch", "dropout": 0.0}


def discriminator_steps_of(step: GanStep) -> int:
    assert step.update_discriminators is not None
    optimizer = step.update_discriminators.optimizer
    return int(next(iter(optimizer.state.values()))["step"].item())


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


def test_the_discriminator_rests_while_the_generator_steps() -> None:
    step = GanStep(config(phases=[content_phase("content", 2), config().phases[0].model_dump()]), CPU, {})
    before = copy_of(step.discriminators[0])
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert all(
        torch.equal(old, new) for old, new in zip(before, step.discriminators[0].parameters(), strict=True)
    )
    assert all(parameter.requires_grad for parameter in step.discriminators[0].parameters())


def test_the_generators_update_leaves_no_gradient_in_the_discriminator() -> None:
    step = GanStep(config(), CPU, {})
    step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    kept = [
        None if parameter.grad is None else parameter.grad.clone()
        for parameter in step.discriminators[0].parameters()
    ]
    phase, batch = step.config.phases[0], a_batch()
    noisy = NoisyPhotos(None, StepDraws(seed=3, images_seen=0, batch=2, world=CPU), phase_fraction=0.0)
    photos = MappedPhotos(step.restoring, batch, step.restored(batch[0]), noisy)
    step.update_generator([photos], phase)
    for before, parameter in zip(kept, step.discriminators[0].parameters(), strict=True):
        assert before is not None
        assert parameter.grad is not None
        assert torch.equal(before, parameter.grad)


def test_an_adversarial_phase_moves_both_nets() -> None:
    step = GanStep(config(), CPU, {})
    generator, critic = copy_of(step.generator), copy_of(step.discriminators[0])
    for seen in (0, 2):  # the head begins at zero: it moves first, the layers before it in the next step
        step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
    assert not any(
        torch.equal(old, new) for old, new in zip(generator, step.generator.parameters(), strict=True)
    )
    assert not torch.equal(critic[0], next(step.discriminators[0].parameters()))


def test_the_average_lags_behind_and_a_high_decay_lags_more() -> None:
    distances = []
    for decay in (0.5, 0.1, 0.0):
        step = GanStep(config(ema=decay), CPU, {})
        for seen in range(0, 12, 2):
            step([a_batch(), a_batch()], step.config.phases[0], seen, 1.0)
        distances.append(
            sum(
                (kept - now).abs().sum().item()
                for kept, now in zip(step.average.parameters(), step.generator.parameters(), strict=True)
            )
        )
    assert distances[0] > distances[1] > distances[2] == 0


def test_the_average_moves_by_the_published_amount() -> None:
    generator = GanStep(config(), CPU, {}).generator
    average = WeightAverage(generator, decay=0.9)
    before, now = copy_of(average.net), copy_of(generator)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(1.0)
    average.update(generator, steps_done=1000)  # beyond the faster beginning
    for kept, old, present in zip(average.net.parameters(), before, now, strict=True):
        torch.testing.assert_close(kept.detach(), 0.9 * old + 0.1 * (present + 1.0))


def test_the_average_follows_faster_at_first() -> None:
    step = GanStep(config(ema=0.999), CPU, {})
    before = copy_of(step.average)
    step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    for kept, old, present in zip(
        step.average.parameters(), before, step.generator.parameters(), strict=True
    ):
        torch.testing.assert_close(kept.detach(), 2 / 11 * old + 9 / 11 * present.detach())


def test_bfloat16_keeps_weights_and_losses_in_float32() -> None:
    step = GanStep(config(precision="bf16"), CPU, {})
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert {parameter.dtype for parameter in step.generator.parameters()} == {torch.float32}
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_a_conditional_discriminator_sees_the_input_beside_the_photo() -> None:
    step = GanStep(
        config(discriminators=[CRITIC | {"conditional": True}, CRITIC | {"shrink": 2, "weight": 0.4}]),
        CPU,
        {},
    )
    terms = step([a_batch(), a_batch()], step.config.phases[0], 0, 1.0)
    assert next(step.discriminators[0].parameters()).shape[1] == 6
    assert {"discriminator_0/real", "discriminator_1/real", "generator/adversarial_1"} <= set(terms)
    assert terms["generator/adversarial_1_weighted"].item() == pytest.approx(
        0.4 * 0.1 * terms["generator/adversarial_1"].item(), rel=1e-5
    )


def test_discriminators_learn_by_their_weights() -> None:
    # Two of one architecture, alike at first: their losses are equal, their gradients in
    # the sum are not.
    twins = [CRITIC | {"weight": 0.6}, CRITIC | {"weight": 0.4}]
    step = GanStep(config(**LOGITS | {"discriminators": twins}), CPU, {})
    step.discriminators[1].load_state_dict(step.discriminators[0].state_dict())
    terms = step([a_batch()], step.config.phases[0], 0, 1e-9)
    first, second = (
        terms[f"discriminator_{index}/real"] + terms[f"discriminator_{index}/restored"] for index in (0, 1)
    )
    torch.testing.assert_close(terms["discriminator/total"], 0.6 * first + 0.4 * second)
    torch.testing.assert_close(
        terms["discriminator_0/gradient_norm"], 1.5 * terms["discriminator_1/gradient_norm"]
    )


def test_reused_photos_are_the_same_as_handing_them_in_three_times() -> None:
    again = GanStep(config(**LOGITS | {"discriminator_updates": 3, "discriminator_reuse": True}), CPU, {})
    fresh = GanStep(config(**LOGITS | {"discriminator_updates": 3}), CPU, {})
    again([a_batch()], again.config.phases[0], 0, 1.0)
    fresh([a_batch()] * 3, fresh.config.phases[0], 0, 1.0)
    assert discriminator_steps_of(again) == 3
    for ours, theirs in zip(
        again.discriminators[0].parameters(), fresh.discriminators[0].parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_split_updates_are_one_adam_step_on_real_then_one_on_restored() -> None:
    # Without normalisation: a bias in front of it has no gradient but rounding, and Adam walks on
    # that.
    step = GanStep(
        config(**LOGITS | {"split_updates": True, "discriminators": [CRITIC | {"norm": "none"}]}), CPU, {}
    )
    input, target = a_batch()
    critic = copy.deepcopy(step.discriminators[0])
    settings = step.config.discriminator_optimizer
    by_hand = torch.optim.Adam(
        critic.parameters(), lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.epsilon
    )
    for photo, sign in ((target, -1), (step.generator(input).detach(), 1)):
        by_hand.zero_grad()
        torch.nn.functional.softplus(sign * critic(photo)).mean().backward()
        by_hand.step()
    step([(input, target)], step.config.phases[0], 0, 1.0)
    assert discriminator_steps_of(step) == 2
    for ours, theirs in zip(step.discriminators[0].parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_total_of_split_updates_is_that_of_both() -> None:
    step = GanStep(config(**LOGITS | {"split_updates": True}), CPU, {})
    terms = step([a_batch()], step.config.phases[0], 0, 1e-9)
    torch.testing.assert_close(
        terms["discriminator/total"], terms["discriminator_0/real"] + terms["discriminator_0/restored"]
    )


def test_a_penalty_is_counted_once_in_split_updates() -> None:
    step = GanStep(config(split_updates=True, discriminator_updates=1), CPU, {})
    terms = step([a_batch()], step.config.phases[0], 0, 1e-9)
    parts = sum(terms[f"discriminator_0/{name}"] for name in ("real", "restored", "penalty"))
    torch.testing.assert_close(terms["discriminator/total"], parts)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_generator_goes_by_the_discriminator_after_its_step_or_before(simultaneous: bool) -> None:
    step = GanStep(config(**LOGITS, simultaneous=simultaneous, discriminator_optimizer={"lr": 0.05}), CPU, {})
    input, target = a_batch()
    restored, before = step.generator(input).detach(), copy.deepcopy(step.discriminators[0])
    terms = step([(input, target)], step.config.phases[0], 0, 1.0)
    discriminator = before if simultaneous else step.discriminators[0]
    wanted = torch.nn.functional.softplus(-discriminator(restored)).mean()
    torch.testing.assert_close(terms["generator/adversarial_0"], wanted.detach())
    assert discriminator_steps_of(step) == 1
    assert not same(copy_of(before), copy_of(step.discriminators[0]))


def test_one_pass_of_the_generator_serves_both() -> None:
    step = GanStep(config(**LOGITS), CPU, {})
    passes: list[int] = []
    step.generator.register_forward_hook(lambda *about: passes.append(1))
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert len(passes) == 1


def test_each_net_moves_at_its_own_rate() -> None:
    # Adam's first step is the learning rate itself wherever there is a gradient.
    step = GanStep(
        config(**LOGITS, generator_optimizer={"lr": 0.001}, discriminator_optimizer={"lr": 0.004}), CPU, {}
    )
    generator, critic = copy_of(step.generator), copy_of(step.discriminators[0])
    step([a_batch()], step.config.phases[0], 0, 0.5)
    moved = max(
        (old - new).abs().max().item()
        for old, new in zip(critic, step.discriminators[0].parameters(), strict=True)
    )
    head = max(
        (old - new).abs().max().item()
        for old, new in zip(generator, step.generator.parameters(), strict=True)
    )
    assert moved == pytest.approx(0.002, rel=1e-2)
    assert head == pytest.approx(0.0005, rel=1e-2)


def test_a_large_epsilon_shortens_adams_first_step() -> None:
    step = GanStep(
        config(
            **LOGITS,
            generator_optimizer={"lr": 0.01, "epsilon": 1e6},
            discriminator_optimizer={"lr": 0.01, "epsilon": 1e6},
        ),
        CPU,
        {},
    )
    before = [copy_of(net) for net in (step.generator, step.discriminators[0])]
    step([a_batch()], step.config.phases[0], 0, 1.0)
    for old, net in zip(before, (step.generator, step.discriminators[0]), strict=True):
        assert (
            max((was - now).abs().max().item() for was, now in zip(old, net.parameters(), strict=True)) < 1e-6
        )


def test_half_the_discriminators_weight_halves_its_terms_and_not_the_generators() -> None:
    whole, half = (
        {"adversarial": {"kind": "cross_entropy", "discriminator_weight": weight}, "discriminator_updates": 1}
        for weight in (1.0, 0.5)
    )
    first, second = (GanStep(config(**settings), CPU, {}) for settings in (whole, half))
    ones, halves = (step([a_batch()], step.config.phases[0], 0, 1.0) for step in (first, second))
    torch.testing.assert_close(halves["discriminator_0/real"], ones["discriminator_0/real"] / 2)
    torch.testing.assert_close(halves["discriminator/total"], ones["discriminator/total"] / 2)
    torch.testing.assert_close(
        halves["generator/adversarial_0"], ones["generator/adversarial_0"], rtol=1e-3, atol=1e-4
    )


def test_clipping_holds_every_weight_of_the_critic() -> None:
    step = GanStep(
        config(
            adversarial={"kind": "wasserstein", "clip": 0.01},
            discriminator_updates=1,
            discriminator_optimizer={"lr": 0.1},
        ),
        CPU,
        {},
    )
    step([a_batch()], step.config.phases[0], 0, 1.0)
    assert max(
        parameter.abs().max().item() for parameter in step.discriminators[0].parameters()
    ) == pytest.approx(0.01)


def test_a_phase_may_name_the_losses_that_count_in_it() -> None:
    phases = [content_phase(name, 2, content=content) for name, content in (("a", ["l1"]), ("b", None))]
    step = GanStep(config(**LEARNING, content=[{"kind": "l1"}, {"kind": "l2"}], phases=phases), CPU, {})
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


def test_workers_drop_what_one_would_drop() -> None:
    dropping = config(generator={"kind": "resnet", "width": 8, "blocks": 1, "dropout": 0.5})
    input = a_batch(4)[0]
    restored = []
    for rank, size in ((0, 1), (0, 2), (1, 2)):
        step = GanStep(dropping, World(rank, size, torch.device("cpu")), {})
        torch.manual_seed(7)
        restored.append(step.restored(input[rank::size]))
    torch.testing.assert_close(restored[0], torch.stack(restored[1:], dim=1).flatten(0, 1))
    torch.manual_seed(8)
    assert not torch.allclose(step.restored(input[1::2]), restored[2]), "another draw"


def test_every_worker_draws_its_part_of_what_one_would_draw() -> None:
    drawn = []
    for rank, size in ((0, 1), (0, 2), (1, 2)):
        draws = StepDraws(seed=3, images_seen=8, batch=4, world=World(rank, size, torch.device("cpu")))
        drawn.append(draws.per_sample(torch.randn, (3,), "test", 0))
    assert torch.equal(drawn[0], torch.stack([drawn[1], drawn[2]], dim=1).flatten(0, 1))


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_makes_the_step_of_the_whole_with_less_of_it_at_once(parts: int) -> None:
    joint = config().phases[0].model_dump() | {"batch": 4}
    # A bias before instance normalisation has a gradient of rounding alone, which Adam makes large.
    tricks = {
        **LOGITS,
        "instance_noise": {"std": 0.1, "restored": True},
        "generator_optimizer": {"lr": 1e-3},
        "discriminators": [CRITIC | {"norm": "none"}],
    }
    found, largest = [], []
    for accumulate in (1, parts):
        step = GanStep(config(**tricks, phases=[joint | {"accumulate": accumulate}]), CPU, {})
        seen: list[int] = []
        step.generator.register_forward_pre_hook(lambda net, input, seen=seen: seen.append(len(input[0])))
        for turn in range(3):
            terms = step([a_batch(4)], step.config.phases[0], 4 * turn, 1.0)
        found.append([*copy_of(step.generator), *copy_of(step.discriminators[0]), *terms.values()])
        largest.append(max(seen))
    assert largest == [4, 4 // parts]
    for whole, parted in zip(*found, strict=True):
        torch.testing.assert_close(parted, whole, rtol=1e-3, atol=1e-5)
