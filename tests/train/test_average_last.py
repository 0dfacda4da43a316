"""The plain mean of the last share's weights: of which steps, that it is measured, and that it comes
through kills, rollbacks and validations that find an earlier one better.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pairs import make_pairs
from pydantic import ValidationError
from small_training import (
    CPU,
    LEARNING,
    LOGITS,
    KilledError,
    Memory,
    a_batch,
    config,
    content_phase,
    copy_of,
    data_of,
    run,
    weights_of,
)
from torch import Tensor, nn

from components.core.records import PairSet
from components.train.loop import Loop
from components.train.step import GanStep
from components.train.step.weight_average import MOST_PARTS, LastSteps, WeightAverage, last_steps
from components.train.training_state import read_state
from components.train.validate import validate


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def close(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(("ema", "stands_for"), [(0.0, 1), (0.9, 10)])
def test_the_mean_is_plain_and_what_was_before_counts_for_the_steps_it_had_in_mind(
    ema: float, stands_for: int
) -> None:
    step = GanStep(config(ema=ema, average_last=0.5, **LOGITS), CPU, {})
    step.steps_done = 1000  # beyond the faster beginning
    total = [stands_for * weight for weight in copy_of(step.average)]
    for number in (1, 2, 3):
        step([a_batch()], step.config.phases[0], 0, 1.0, last=LastSteps(number, 3))
        total = [sum_ + now for sum_, now in zip(total, copy_of(step.generator), strict=True)]
        close(copy_of(step.average), [weight / (stands_for + number) for weight in total])


def test_at_a_trainings_start_what_was_before_has_hardly_a_step_in_mind() -> None:
    net = nn.Linear(1, 1, bias=False)
    average = WeightAverage(net, decay=0.999)
    with torch.no_grad():
        average.net.weight.fill_(1.0)
        net.weight.fill_(0.0)
    average.update(net, 1, LastSteps(1, 8))
    assert average.net.weight.item() == pytest.approx(10 / 19)  # 1 / (1 - 1/10) steps beside this one


def test_the_last_of_a_very_long_mean_are_not_lost_in_rounding() -> None:
    count = 64 * MOST_PARTS
    net = nn.Linear(1, 1, bias=False)
    average, present = WeightAverage(net, decay=0.0), torch.linspace(1.0, 1.1, count)
    for number in range(64, count + 1, 64):
        with torch.no_grad():
            net.weight.fill_(present[number - 1].item())
        average.update(net, number - 1, LastSteps(number - 1, count))  # one that the next speaks for
        average.update(net, number, LastSteps(number, count))
    assert average.net.weight.item() == pytest.approx(1.05, abs=1e-3)


def test_the_last_weights_alone_are_copied_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied = []
    real = torch._foreach_copy_
    monkeypatch.setattr(torch, "_foreach_copy_", lambda *lists: copied.append(1) or real(*lists))
    net = nn.BatchNorm1d(3)
    average = WeightAverage(net, decay=0.0, plain_mean=False)
    for number in range(1, 5):
        with torch.no_grad():
            net.weight.fill_(number)
            net.running_mean.fill_(-number)
        average.update(net, number)
    assert not copied
    for _ in range(2):
        assert average.net.weight.tolist() == [4.0] * 3
        assert average.net.running_mean.tolist() == [-4.0] * 3
    assert len(copied) == 1
    average.net.load_state_dict({**average.net.state_dict(), "weight": torch.zeros(3)})
    assert average.net.weight.tolist() == [0.0] * 3, "what was put there stays until the next step"


@pytest.mark.parametrize(("share", "wanted"), [(0.0, 0), (0.01, 1), (0.25, 2), (0.5, 5), (1.0, 10)])
def test_the_last_share_is_counted_in_whole_steps(share: float, wanted: int) -> None:
    found = [last_steps(share, images, 20, 2) for images in range(2, 22, 2)]
    assert [each.number for each in found if each is not None] == list(range(1, wanted + 1))


def averaged(pairset: PairSet, **changes: Any) -> tuple[Loop, Memory, dict[int, list[Tensor]]]:
    """A loop, and what will be its generator's weights after each step, by images."""
    memory, seen = Memory(), {}
    loop = Loop(config(**LEARNING | changes), data_of(pairset), CPU, memory, memory, {})
    loop.step.update_generator.optimizer.register_step_post_hook(
        lambda *_: seen.update({loop.progress.images_seen + 2: copy_of(loop.step.generator)})
    )
    return loop, memory, seen


def mean_of(seen: dict[int, list[Tensor]], images: range) -> list[Tensor]:
    return [torch.stack(weights).mean(0) for weights in zip(*(seen[at] for at in images), strict=True)]


def test_only_the_last_phases_last_share_is_averaged(pairset: PairSet) -> None:
    phases = [content_phase("first", 8), content_phase("second", 16)]
    loop, _, seen = averaged(pairset, phases=phases, average_last=0.25)
    averages: dict[int, list[Tensor]] = {}
    take = loop.progress.take_validation

    def kept(*given: Any, **more: Any) -> bool:
        averages[loop.progress.images_seen] = copy_of(loop.step.average)
        return take(*given, **more)

    loop.progress.take_validation = kept  # type: ignore[method-assign]
    loop.run()
    # Without an exponential average the last weights before the share count as one step of it.
    wanted = {8: seen[8], 16: seen[16], 24: mean_of(seen, range(20, 26, 2))}
    assert averages.keys() == wanted.keys()
    for at, weights in wanted.items():
        close(averages[at], weights)


CHANGES: dict[str, Any] = {"ema": 0.5, "average_last": 0.7, "keep_best": "psnr_rgb"}


@pytest.mark.parametrize("die_after", [9, 13, 17])  # the share begins at image 7
def test_a_killed_training_goes_on_to_the_same_mean(die_after: int, pairset: PairSet) -> None:
    whole, halves, rest = Memory(), Memory(die_after=die_after), Memory()
    changes = CHANGES | {"validate_every": 4}
    run(config(**changes), pairset, whole)
    with pytest.raises(KilledError):
        run(config(**changes), pairset, halves)
    rest.states = halves.states
    run(config(**changes), pairset, rest)
    for ours, theirs in zip(weights_of(rest.states[-1]), weights_of(whole.states[-1]), strict=True):
        assert torch.equal(ours, theirs)


def test_a_rollback_within_the_share_goes_back_to_the_mean_of_then(pairset: PairSet) -> None:
    memory, again = Memory(), Memory()
    own = {"ema": 0.5, "average_last": 0.8, "log_every": 2, "phases": [content_phase("content", 20)]}
    changes = LEARNING | own
    loop = Loop(config(**changes), data_of(pairset), CPU, memory, memory, {})
    passes = iter(range(1000))

    def spoil(net: nn.Module, input: tuple[Tensor]) -> tuple[Tensor] | None:
        return (input[0] * float("nan"),) if next(passes) == 5 else None

    loop.step.generator.register_forward_pre_hook(spoil)
    assert loop.run().diverged is None
    assert sum("back to image 8 " in words for words in memory.warnings) == 1
    # Another process goes on from the state that was kept with the rollback.
    (after,) = (
        place
        for place, state in enumerate(memory.states)
        if read_state(state)["progress"]["rollbacks"] and read_state(state)["progress"]["images_seen"] == 8
    )
    again.states = memory.states[: after + 1]
    run(config(**changes), pairset, again)
    ours, theirs = (read_state(each.states[-1])["step"]["average"].values() for each in (again, memory))
    for one, two in zip(ours, theirs, strict=True):
        assert torch.equal(one, two)
        assert torch.isfinite(one).all()


@pytest.mark.parametrize("keep_best", [None, "psnr_rgb"])
def test_what_is_kept_has_been_measured(keep_best: str | None, pairset: PairSet) -> None:
    changes = {
        "average_last": 0.6,
        "validate_every": 4,
        "keep_best": keep_best,
        "generator_optimizer": {"lr": 3e-3},
        "phases": [content_phase("content", 20)],
    }
    loop, memory, _ = averaged(pairset, **changes)
    loop.run()
    state = read_state(memory.states[-1])
    best = state["progress"]["best"]
    at, weights = (20, state["step"]["average"]) if best is None else (best["images_seen"], best["weights"])
    loop.step.average.load_state_dict(weights)
    found = validate(loop.config, loop.step.average, loop.data, CPU)
    assert memory.values[at]["validation/psnr_rgb"] == found.scores["validation/psnr_rgb"]


def test_a_refinement_has_its_own_last_share() -> None:
    tuned = config(finetune=[content_phase("short", 4), content_phase("end", 8)], average_last=0.5)
    assert tuned.from_known().average_last == 0.5
    stops = content_phase("end", 8, early_stopping={})
    with pytest.raises(ValidationError, match=r"the last 0\.5 of phase end, which early_stopping may end"):
        config(finetune=[stops], average_last=0.5)
    assert config(finetune=[stops, content_phase("last", 8)], average_last=0.5).finetune


def test_batch_normalisation_by_the_photo_has_a_mean() -> None:
    net = {"kind": "resnet", "width": 4, "blocks": 1, "norm": "batch"}
    assert config(generator=net | {"test_time_statistics": "photo"}, average_last=0.5)


def test_without_it_a_recipe_keeps_its_digest() -> None:
    assert "average_last" not in config().model_dump(mode="json")
    assert config(average_last=0.5).key_digest() != config().key_digest()
