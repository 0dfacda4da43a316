"""The loop: phases, readings, states; that stopping and going on changes nothing, that trouble
stops.
"""

from __future__ import annotations

import pytest
import torch
from pairs import make_pairs
from small_training import (
    CPU,
    LEARNING,
    LOGITS,
    NET,
    KilledError,
    Memory,
    config,
    content_phase,
    data_of,
    run,
    weights_of,
)

from components.core.errors import InputError, LineageError
from components.core.records import PairSet
from components.train.data import Data
from components.train.loop import Loop
from components.train.training_state import read_state


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def test_ten_steps_equal_five_plus_five(pairset: PairSet) -> None:
    dropping = {"generator": {"kind": "resnet", "width": 8, "blocks": 1, "dropout": 0.5}}
    whole, halves, rest = Memory(), Memory(die_after=13), Memory()
    run(config(**dropping), pairset, whole)
    with pytest.raises(KilledError):
        run(config(**dropping), pairset, halves)
    assert read_state(halves.states[-1])["progress"]["images_seen"] == 8
    rest.states = halves.states
    assert run(config(**dropping), pairset, rest).images_seen == 20
    assert (rest.began, rest.images) == (8, 12)
    for ours, theirs in zip(weights_of(rest.states[-1]), weights_of(whole.states[-1]), strict=True):
        assert torch.equal(ours, theirs)


def test_a_resumed_training_looks_no_second_time(pairset: PairSet) -> None:
    halves, rest = Memory(die_after=13), Memory()
    with pytest.raises(KilledError):
        run(config(), pairset, halves)
    rest.states = halves.states
    run(config(), pairset, rest)
    assert (halves.pictures, rest.pictures) == ([0, 8], [16, 20])


def test_a_finished_training_trains_nothing_more(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    done = len(memory.states)
    run(config(), pairset, memory)
    assert len(memory.states) == done


def test_the_state_holds_nets_optimisers_average_and_position(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    state = read_state(memory.states[-1])
    assert state["progress"]["images_seen"] == 20
    assert state["step"]["steps_done"] == 10
    assert set(state["step"]) == {
        "steps_done",
        "generator",
        "average",
        "discriminators",
        "generator_optimizer",
        "generator_guard",
        "discriminator_optimizer",
        "discriminator_guard",
        "pool",
        "further",
    }
    assert state["step"]["discriminator_optimizer"]["state"][0]["step"].item() == 20  # two updates a step


def test_readings_name_every_term_weighted_and_not(pairset: PairSet) -> None:
    memory = Memory()
    run(config(content=[{"kind": "l1", "weight": 3.0}, {"kind": "l2"}]), pairset, memory)
    values = memory.values[4]
    assert values["generator/l1_weighted"] == pytest.approx(3 * values["generator/l1"])
    assert values["generator/adversarial_0_weighted"] == pytest.approx(
        0.1 * values["generator/adversarial_0"], rel=1e-5
    )
    total = sum(
        value
        for name, value in values.items()
        if name.startswith("generator/") and name.endswith("_weighted")
    )
    assert values["generator/total"] == pytest.approx(total, rel=1e-5)
    wanted = {
        "discriminator_0/real",
        "discriminator_0/restored",
        "discriminator_0/penalty",
        "discriminator_0/accuracy_real",
        "discriminator_0/accuracy_restored",
    }
    assert wanted <= set(values)
    assert {
        "generator/gradient_norm",
        "discriminator_0/gradient_norm",
        "learning_rate/generator",
        "speed/images_per_second",
        "speed/data_wait_share",
    } <= set(values)


def test_validation_happens_at_the_start_and_at_every_state(pairset: PairSet) -> None:
    memory = Memory()
    run(config(), pairset, memory)
    assert memory.pictures == [0, 8, 16, 20]
    # An untrained residual U-Net does nothing, so its gain over doing nothing is zero.
    assert memory.values[0]["validation/psnr_rgb_gain"] == pytest.approx(0.0, abs=1e-9)
    assert memory.values[0]["validation/ssim_gauss11_rgb_gain"] == pytest.approx(0.0, abs=1e-9)


def test_the_generator_learns_to_undo_a_fixed_blur(pairset: PairSet) -> None:
    memory = Memory()
    net = {**NET, "width": 8}
    optimizer = {"lr": 0.003, "beta1": 0.9}
    changes = {
        "discriminators": [],
        "adversarial": None,
        "content": [{"kind": "l2"}],
        "generator": net,
        "generator_optimizer": optimizer,
        "ema": 0.9,
    }
    phase = {"name": "content", "images": 600, "crop_px": 32, "batch": 4, "adversarial": False}
    run(config(**changes, phases=[phase], validate_every=600, log_every=50), pairset, memory)
    assert memory.values[600]["validation/psnr_rgb_gain"] > 1.0


def test_a_runaway_loss_stops_and_the_last_healthy_state_is_kept(pairset: PairSet) -> None:
    memory = Memory()
    good, bad = (
        {
            "name": name,
            "images": 40,
            "crop_px": 16,
            "batch": 2,
            "adversarial": False,
            "schedule": {"kind": "constant", "level": level},
        }
        for name, level in (("good", 1e-3), ("bad", 1.0))
    )
    settings = {
        "discriminators": [],
        "adversarial": None,
        "generator_optimizer": {"lr": 1.0, "spectral_step": None},
        "loss_limit": 2.0,
        "ema": 0.0,
        "rollback": None,
    }
    outcome = run(config(**settings, phases=[good, bad]), pairset, memory)
    assert outcome.diverged is not None
    assert "generator/total was" in outcome.diverged
    assert 40 < outcome.images_seen < 80
    kept = read_state(memory.states[-1])
    assert 40 <= kept["progress"]["images_seen"] < outcome.images_seen
    assert all(torch.isfinite(tensor).all() for tensor in kept["step"]["average"].values())


@pytest.mark.parametrize("value", [-20_000.0, 20_000.0])
def test_a_critics_loss_that_runs_away_downward_stops_too(pairset: PairSet, value: float) -> None:
    loop = Loop(config(loss_limit=1e4), data_of(pairset), CPU, (memory := Memory()), memory, {})
    trouble = loop.checks.check_steps(
        {"generator/total": 1.0, "discriminator/total": value, "speed/images_per_second": 1e9}
    )
    assert trouble is not None
    assert trouble.startswith("discriminator/total was")


def test_nan_stops_the_training(pairset: PairSet) -> None:
    loop = Loop(config(rollback=None), data_of(pairset), CPU, (memory := Memory()), memory, {})
    with torch.no_grad():
        next(loop.step.generator.parameters()).fill_(float("nan"))
    outcome = loop.run()
    assert outcome.diverged is not None
    assert "nan" in outcome.diverged
    assert memory.states == []


def test_rates_follow_the_schedule(pairset: PairSet) -> None:
    memory = Memory()
    phase = {
        "name": "joint",
        "images": 20,
        "crop_px": 16,
        "batch": 2,
        "schedule": {"kind": "linear", "hold": 0.5},
    }
    run(config(phases=[phase], log_every=1, generator_optimizer={"lr": 0.01}), pairset, memory)
    rates = [memory.values[images]["learning_rate/generator"] for images in range(2, 22, 2)]
    assert rates == pytest.approx([0.01] * 6 + [0.008, 0.006, 0.004, 0.002])


def test_each_phase_follows_its_own_schedule_from_its_own_beginning(pairset: PairSet) -> None:
    memory = Memory()
    phases = [
        {"name": name, "images": 8, "crop_px": 16, "batch": 2, "schedule": {"kind": "linear", "hold": 0.5}}
        for name in ("first", "second")
    ]
    run(config(phases=phases, log_every=1, generator_optimizer={"lr": 0.01}), pairset, memory)
    assert [memory.values[images]["learning_rate/generator"] for images in range(2, 18, 2)] == pytest.approx(
        [0.01, 0.01, 0.01, 0.005] * 2
    )


def test_instance_noise_fades_over_the_phase(pairset: PairSet) -> None:
    loop = Loop(
        config(**LOGITS, instance_noise={"std": 0.5}), data_of(pairset), CPU, (memory := Memory()), memory, {}
    )
    outside: list[float] = []  # how far photos in [-1, 1] are driven out of their range
    loop.step.discriminators[0].register_forward_pre_hook(
        lambda net, input: outside.extend(  # real and restored ones may come in one pass
            (photos.abs() - 1).clamp_min(0).mean().item() for photos in input[0].split(2)
        )
    )
    loop.run()
    on_real = outside[::3]
    assert len(on_real) == 10
    assert on_real[0] > 4 * on_real[-1] > 0 == outside[1]


def test_a_constant_schedule_may_be_a_fraction_of_the_learning_rate(pairset: PairSet) -> None:
    memory = Memory()
    phase = {
        "name": "joint",
        "images": 4,
        "crop_px": 16,
        "batch": 2,
        "schedule": {"kind": "constant", "level": 0.1},
    }
    run(config(phases=[phase], log_every=1, generator_optimizer={"lr": 0.01}), pairset, memory)
    assert [memory.values[images]["learning_rate/generator"] for images in (2, 4)] == pytest.approx(
        [0.001, 0.001]
    )


def test_no_training_pairs_are_refused(pairset: PairSet) -> None:
    with pytest.raises(LineageError, match="no training pairs"):
        Loop(config(), Data(pairset, (), ()), CPU, (memory := Memory()), memory, {})


def test_a_crop_larger_than_the_photos_is_refused_with_the_remedy(pairset: PairSet) -> None:
    with pytest.raises(
        InputError, match=r"phase joint crops 64 px, but pair .* is 48×48: set its crop_px to 48 or less"
    ):
        run(config(phases=[{"name": "joint", "images": 2, "crop_px": 64, "batch": 2}]), pairset, Memory())


def test_a_phase_without_progress_ends_early_and_the_next_follows(pairset: PairSet) -> None:
    # So low a rate changes no validation score by a thousandth of a decibel.
    still = {"generator_optimizer": {"lr": 1e-12}, "validate_every": 4}
    phases = [
        content_phase("long", 400, early_stopping={"metric": "psnr_rgb", "patience": 3, "least": 0.001}),
        content_phase("short", 6),
    ]
    memory = Memory()
    outcome = run(config(**LEARNING | still, phases=phases), pairset, memory)
    # The first validation of the phase sets the mark at image 4, three more do not better it.
    assert outcome.images_seen == 16 + 6
    progress = read_state(memory.states[-1])["progress"]
    assert progress["stopped_early"] == ["long"]
    assert progress["phase"] == 2


def test_early_stopping_goes_on_waiting_after_a_restart(pairset: PairSet) -> None:
    still = {"generator_optimizer": {"lr": 1e-12}, "validate_every": 4}
    phases = [
        content_phase("long", 400, early_stopping={"metric": "psnr_rgb", "patience": 3, "least": 0.001})
    ]
    memory, rest = Memory(die_after=10), Memory()
    with pytest.raises(KilledError):
        run(config(**LEARNING | still, phases=phases), pairset, memory)
    rest.states = memory.states
    assert run(config(**LEARNING | still, phases=phases), pairset, rest).images_seen == 16


def test_the_best_generator_is_kept_when_later_ones_are_worse(pairset: PairSet) -> None:
    good, bad = {"kind": "constant", "level": 0.003}, {"kind": "constant", "level": 0.1}
    phases = [content_phase("good", 200, schedule=good), content_phase("bad", 8, schedule=bad)]
    memory = Memory()
    run(
        config(
            **LEARNING,
            phases=phases,
            generator_optimizer={"lr": 1.0},
            validate_every=50,
            keep_best="psnr_rgb",
        ),
        pairset,
        memory,
    )
    state = read_state(memory.states[-1])
    best, scores = (
        state["progress"]["best"],
        {
            images: values["validation/psnr_rgb"]
            for images, values in memory.values.items()
            if "validation/psnr_rgb" in values
        },
    )
    assert scores[208] < scores[200] - 1, "the second phase was to spoil it"
    assert best["images_seen"] == max(filter(None, scores), key=lambda images: scores[images])
    assert best["value"] == scores[best["images_seen"]]
    assert not torch.equal(
        next(iter(best["weights"].values())), next(iter(state["step"]["average"].values()))
    )


def test_progressive_crops_follow_their_phases(pairset: PairSet) -> None:
    memory = Memory()
    phases = [{"name": f"{side} px", "images": 4, "crop_px": side, "batch": 2} for side in (16, 32, 48)]
    loop = Loop(config(phases=phases), data_of(pairset), CPU, memory, memory, {})
    sides: list[int] = []
    loop.step.generator.register_forward_pre_hook(
        lambda net, input: sides.append(input[0].shape[-1]) if torch.is_grad_enabled() else None
    )
    loop.run()
    assert sides == [16, 16, 32, 32, 48, 48]


def test_validation_leaves_dropout_and_batch_statistics_out(pairset: PairSet) -> None:
    net = {"kind": "resnet", "width": 8, "blocks": 1, "norm": "batch", "dropout": 0.5, "head": "direct"}
    memory = Memory()
    loop = Loop(config(generator=net), data_of(pairset), CPU, memory, memory, {})
    loop.step.generator.train()
    buffers = [buffer.clone() for buffer in loop.step.average.buffers()]
    (first, _), (again, _) = loop._validate(), loop._validate()
    assert first.scores == again.scores
    assert first.by_group == again.by_group
    assert all(
        torch.equal(before, now) for before, now in zip(buffers, loop.step.average.buffers(), strict=True)
    )
    assert loop.step.generator.training, "the next step trains with dropout again"
