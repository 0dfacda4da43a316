"""Signs of ill health and divergence in a training: what is said, what is gone back to, and that
nothing ill is kept.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pairs import make_pairs
from small_training import CPU, LEARNING, Memory, config, content_phase, data_of, run

from components.core.records import PairSet
from components.train.loop import Loop
from components.train.training_state import read_state
from components.train.validate import Validation


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


RUNNING_AWAY = {
    **LEARNING,
    "generator_optimizer": {"lr": 1.0, "spectral_step": None},
    "loss_limit": 2.0,
    "phases": [content_phase("content", 40)],
    "log_every": 2,
}


def test_divergence_is_rolled_back_with_a_lower_rate_as_often_as_allowed(pairset: PairSet) -> None:
    memory = Memory()
    outcome = run(config(**RUNNING_AWAY, rollback={"factor": 0.9, "most": 2}), pairset, memory)
    assert outcome.diverged is not None, "nine tenths of so high a rate, and of that, diverge too"
    assert [words.split(" with ")[1] for words in memory.warnings if "rollback" in words] == [
        "the learning rates times 0.9 (rollback 1 of 2)",
        "the learning rates times 0.81 (rollback 2 of 2)",
    ]


def test_a_rolled_back_training_ends_well_from_its_last_healthy_state(pairset: PairSet) -> None:
    memory, again = Memory(), Memory()
    settings = config(**RUNNING_AWAY, rollback={"factor": 1e-3, "most": 1})
    outcome = run(settings, pairset, memory)
    assert outcome.diverged is None
    assert outcome.images_seen == 40
    assert read_state(memory.states[-1])["progress"]["rollbacks"] == 1
    assert memory.values[40]["learning_rate/generator"] == pytest.approx(1e-3)
    # A second process that goes on from the states ends where the first did.
    again.states = [state for state in memory.states if read_state(state)["progress"]["images_seen"] < 40]
    run(settings, pairset, again)
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(average_of(again.states[-1]), average_of(memory.states[-1]), strict=True)
    )


def average_of(state: bytes) -> list[torch.Tensor]:
    return list(read_state(state)["step"]["average"].values())


ADVERSARIAL = {
    "adversarial": {"kind": "cross_entropy"},
    "discriminator_updates": 1,
    "discriminator_optimizer": {"lr": 0.01},
}


def test_what_stays_beyond_its_limit_is_complained_of_once(pairset: PairSet) -> None:
    memory = Memory()
    run(config(**ADVERSARIAL, health={"gradient_norm": 1e-9, "readings": 2}), pairset, memory)
    # No gradient is that small: the limit is crossed at images 4 and 8, so it is said at 8, and not
    # again.
    assert [words.split(" for ")[0].rpartition(" ")[0] for words in memory.warnings] == [
        "at image 8: gradient_norm"
    ]


def test_a_sign_of_ill_health_may_roll_back_too(pairset: PairSet) -> None:
    memory = Memory()
    settings = {
        "health": {"gradient_norm": 1e-9, "readings": 1},
        "rollback": {"factor": 0.5, "most": 1, "on": ["gradient_norm"]},
    }
    outcome = run(config(**ADVERSARIAL, **settings), pairset, memory)
    assert outcome.diverged is not None
    assert outcome.diverged.startswith("gradient_norm")
    assert sum("rollback 1 of 1" in words for words in memory.warnings) == 1


def test_a_state_that_may_already_be_ill_is_not_gone_back_to(pairset: PairSet) -> None:
    # No gradient is that small. Of the three readings in a row the first is at image 6: what is
    # kept at 8, after one of them, would be ill.
    memory = Memory()
    settings = {
        "health": {"gradient_norm": 1e-9, "readings": 3},
        "rollback": {"most": 1, "on": ["gradient_norm"]},
        "log_every": 3,
    }
    outcome = run(config(**ADVERSARIAL, **settings), pairset, memory)
    assert outcome.diverged is not None
    assert [read_state(state)["progress"]["images_seen"] for state in memory.states] == [0]
    assert [
        words.split(" with ")[0].rpartition("; ")[2] for words in memory.warnings if "rollback" in words
    ] == ["back to image 0"]


def test_an_untrained_net_is_no_sign_of_ill_health(pairset: PairSet) -> None:
    memory, still = (
        Memory(),
        {
            "generator_optimizer": {"lr": 1e-12},
            "generator": {"kind": "resnet", "width": 4, "blocks": 1, "head": "direct"},
        },
    )
    run(config(**ADVERSARIAL, **still, health={"diversity": 0.9, "readings": 1}), pairset, memory)
    assert memory.values[0]["health/diversity"] < 0.9
    assert [words.split(":")[0] for words in memory.warnings if "diversity" in words] == ["at image 8"]


def test_not_a_number_is_rolled_back_out_of_every_state(pairset: PairSet) -> None:
    memory = Memory()
    batched = {
        "generator": {"kind": "resnet", "width": 4, "blocks": 1, "norm": "batch"},
        "history": {"size": 4},
        "ema": 0.9,
    }
    loop = Loop(config(**ADVERSARIAL, **batched, rollback={}), data_of(pairset), CPU, memory, memory, {})
    passes = iter(range(1000))

    def spoil(net: torch.nn.Module, input: tuple[torch.Tensor]) -> tuple[torch.Tensor] | None:
        return (input[0] * float("nan"),) if next(passes) == 5 else None

    loop.step.generator.register_forward_pre_hook(spoil)
    assert loop.run().diverged is None
    assert sum("back to image 8 " in words for words in memory.warnings) == 1
    state = read_state(memory.states[-1])
    assert state["progress"]["rollbacks"] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors_of(state["step"]))


def tensors_of(state: Any) -> list[torch.Tensor]:
    """Every tensor in a state, however deep."""
    if isinstance(state, torch.Tensor):
        return [state]
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for part in inner for tensor in tensors_of(part)]


def test_a_training_that_lost_what_it_had_goes_back_to_its_best_state(
    pairset: PairSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory()
    settings = config(
        **LEARNING,
        phases=[content_phase("content", 24)],
        validate_every=4,
        generator_optimizer={"lr": 2e-3},
    )
    loop = Loop(settings, data_of(pairset), CPU, memory, memory, {})
    steps = {"before": 0}

    def ruin(net: torch.nn.Module, input: tuple[torch.Tensor]) -> None:
        # Once, behind image 12 of the first way there: no loss runs away, no gradient is not a number.
        steps["before"] += 1
        if steps["before"] == 7:
            with torch.no_grad():
                for weight in (*net.parameters(), *loop.step.average.parameters()):
                    weight.mul_(-3.0)

    loop.step.generator.register_forward_pre_hook(ruin)
    assert loop.run().diverged is None
    (words,) = [words for words in memory.warnings if "rollback" in words]
    assert words.startswith("at image 16: psnr_rgb of the validation fell to ")
    assert words.endswith("with the learning rates times 0.5 (rollback 1 of 3)")
    back = int(words.partition("back to image ")[2].split()[0])
    scores = {seen: memory.values[seen]["validation/psnr_rgb"] for seen in (4, 8, 12)}
    assert back == max(scores, key=scores.__getitem__)
    assert memory.values[24]["validation/psnr_rgb"] > max(scores.values()) - 1


def test_a_kill_after_a_rollback_forgets_neither_it_nor_the_best_state(pairset: PairSet) -> None:
    memory = Memory()
    settings = config(**RUNNING_AWAY, rollback={"factor": 0.9, "most": 2})
    run(settings, pairset, memory)
    again = Memory()
    again.states = memory.states[:-1]  # killed after the first rollback, before the second
    outcome = run(settings, pairset, again)
    assert outcome.diverged is not None
    assert [words.rpartition("(")[2] for words in again.warnings if "rollback" in words] == [
        "rollback 2 of 2)"
    ]


def test_the_best_state_lies_in_later_ones_until_the_phase_is_over(pairset: PairSet) -> None:
    memory = Memory()
    settings = config(**LEARNING, phases=[content_phase("content", 16)], validate_every=4)
    loop = Loop(settings, data_of(pairset), CPU, memory, memory, {})
    falling = iter((9.0, 8.0, 7.0, 6.0))
    loop._validate = lambda: (  # type: ignore[method-assign]
        Validation({"validation/psnr_rgb": next(falling), "validation/psnr_rgb_gain": 1.0}, None, {}),
        None,
    )
    loop.state.resume = lambda: True  # type: ignore[method-assign]
    loop.run()
    beside = [read_state(state)["best"] for state in memory.states]
    assert [best is None for best in beside] == [True, False, False, True]
    kept = read_state(beside[2].numpy().tobytes())
    assert kept["progress"]["images_seen"] == 4
    resumed = Loop(settings, data_of(pairset), CPU, memory, memory, {})
    memory.states = memory.states[:3]
    resumed.state.resume()
    assert resumed.state.roll_back("lost", to_best=True)
    assert resumed.progress.images_seen == 4


def test_signs_of_health_are_logged_with_every_reading_and_validation(pairset: PairSet) -> None:
    memory = Memory()
    run(config(**ADVERSARIAL), pairset, memory)
    assert {"health/discriminator_accuracy", "health/adversarial_share"} <= set(memory.values[4])
    assert {"health/diversity", "health/colour_shift_levels"} <= set(memory.values[8])
    # The untrained net changes nothing: its photos differ from each other as the blurred ones do.
    assert memory.values[0]["health/diversity"] == pytest.approx(1.0, abs=0.2)
