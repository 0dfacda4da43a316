"""Gradients before the optimiser steps on them: what is shortened, what is left out, what is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pairs import make_pairs
from pydantic import ValidationError
from small_training import CPU, CRITIC, LEARNING, LOGITS, Memory, a_batch, config, content_phase, run
from torch import nn

from components.core.records import PairSet
from components.train.config import Adam, Gradients
from components.train.step import GanStep
from components.train.step.gradient_guard import LEAST_NORMS, GradientGuard


class Guarded:
    """One dense layer of eight weights under a guard, its gradients given by hand."""

    def __init__(self, **limits: Any) -> None:
        self.net = nn.Linear(8, 1, bias=False)
        nn.init.zeros_(self.net.weight)
        self.optimizer = Adam(lr=0.01).build([self.net])
        self.guard = GradientGuard(Gradients(**limits), [self.net], CPU.device)
        self.guard.begin("content")

    def step(self, norm: float) -> dict[str, float]:
        """One step on a gradient of that norm; gives what is told of it."""
        self.net.weight.grad = torch.full((1, 8), norm / 8**0.5)
        (told,) = self.guard([torch.tensor(norm)], self.optimizer)
        self.optimizer.step()
        return {name: float(value) for name, value in told.items()}

    @property
    def gradient(self) -> float:
        assert self.net.weight.grad is not None
        return float(self.net.weight.grad.norm())

    def known(self) -> list[torch.Tensor]:
        """Weights and moments."""
        return [self.net.weight.detach().clone()] + [
            value.clone() for state in self.optimizer.state.values() for value in state.values()
        ]


def used_to(norm: float, **limits: Any) -> Guarded:
    guarded = Guarded(**limits)
    for _ in range(LEAST_NORMS):
        guarded.step(norm)
    return guarded


def test_a_gradient_of_usual_length_stays_bit_for_bit_what_it_was() -> None:
    guarded = used_to(1.0)
    told = guarded.step(4.9)
    assert torch.equal(guarded.net.weight.grad, torch.full((1, 8), 4.9 / 8**0.5))  # type: ignore[arg-type]
    assert told == {"gradient_norm": pytest.approx(4.9), "clipped": 0, "skipped": 0}


@pytest.mark.parametrize(("norm", "passes"), [(4.9, 0), (20.0, 1)])
def test_a_processor_goes_through_gradients_only_where_they_are_too_long(
    norm: float, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded, real, done = used_to(1.0), torch._foreach_mul_, []
    monkeypatch.setattr(torch, "_foreach_mul_", lambda *args: done.append(1) or real(*args))
    guarded.step(norm)
    assert len(done) == passes


@pytest.mark.parametrize(
    ("limits", "left"), [({}, 5.0), ({"clip_norm": 0.3}, 0.3), ({"clip_times": None}, 20.0)]
)
def test_a_long_gradient_is_shortened_to_its_limit(limits: dict[str, Any], left: float) -> None:
    guarded = used_to(1.0, **limits)
    told = guarded.step(20.0)
    assert guarded.gradient == pytest.approx(left)
    assert (told["clipped"], told["skipped"]) == (float(left < 20), 0)


@pytest.mark.parametrize("norm", [51.0, 1e20, float("inf"), float("nan")])
def test_a_step_with_a_wild_gradient_changes_neither_weights_nor_moments(norm: float) -> None:
    guarded = used_to(1.0)
    before = guarded.known()
    assert guarded.step(norm)["skipped"] == 1
    assert all(torch.equal(old, new) for old, new in zip(before, guarded.known(), strict=True))
    guarded.step(1.0)
    assert not torch.equal(before[0], guarded.net.weight)
    assert all(tensor.isfinite().all() for tensor in guarded.known())


def test_gradients_that_stay_long_become_the_usual_ones() -> None:
    guarded = used_to(1.0, window=10)
    told = [guarded.step(100.0)["skipped"] for _ in range(10)]
    assert told[0] == 1
    assert guarded.step(100.0)["skipped"] == 0


def test_nothing_is_measured_before_a_few_norms_are_known_nor_against_another_phase() -> None:
    guarded = used_to(1.0)
    guarded.guard.begin("joint")
    assert guarded.step(1000.0)["skipped"] == 0


def test_gradients_of_zero_set_no_limit() -> None:
    guarded = used_to(0.0)
    assert guarded.step(1.0) == {"gradient_norm": 1.0, "clipped": 0, "skipped": 0}


def test_a_guard_goes_on_from_its_state() -> None:
    guarded, resumed = used_to(1.0), Guarded()
    resumed.guard.load_state(guarded.guard.state())
    resumed.guard.begin("content")
    assert resumed.step(60.0)["skipped"] == guarded.step(60.0)["skipped"] == 1


def test_skipping_before_shortening_is_refused() -> None:
    with pytest.raises(ValidationError, match="skip_times 4 must be above clip_times 5"):
        Gradients(skip_times=4)


@pytest.mark.parametrize("split", [False, True])
def test_a_wild_photo_leaves_both_nets_as_they_were(split: bool) -> None:
    lsgan = {"adversarial": {"kind": "least_squares"}, "discriminators": [CRITIC | {"norm": "none"}]}
    step = GanStep(config(**LOGITS | lsgan, split_updates=split), CPU, {})
    phase = step.config.phases[0]
    for turn in range(LEAST_NORMS + 1):
        step([a_batch()], phase, 2 * turn, 1.0)
    nets = [step.generator, *step.discriminators]
    before = [weight.clone() for net in nets for weight in net.state_dict().values()]
    input, target = a_batch()
    terms = step([(input * 1e12, target * 1e12)], phase, 100, 1.0)
    assert (terms["generator/skipped"], terms["discriminator_0/skipped"]) == (1, 1)
    after = [weight for net in nets for weight in net.state_dict().values()]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def test_what_was_shortened_and_skipped_is_logged_with_every_reading(pairset: PairSet) -> None:
    memory = Memory()
    run(config(**LEARNING | {"log_every": 2}, phases=[content_phase("content", 8)]), pairset, memory)
    assert {"generator/gradient_norm", "generator/clipped", "generator/skipped"} <= set(memory.values[4])
