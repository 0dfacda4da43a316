"""What is decided at validations: which generator is the best, and when a phase has waited long
enough.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_training import LEARNING, config, content_phase
from torch import nn

from components.train.training_progress import TrainingProgress


def progress_of(**changes: Any) -> TrainingProgress:
    return TrainingProgress(config(**LEARNING | {"validate_metrics": ["psnr_rgb", "lpips_alex"]} | changes))


def waiting(name: str, metric: str = "psnr_rgb", **rule: Any) -> dict[str, Any]:
    return content_phase(name, 400, early_stopping={"metric": metric, "patience": 2, **rule})


def told(progress: TrainingProgress, metric: str, *values: float) -> list[bool]:
    return [progress.take_validation({f"validation/{metric}": value}, nn.Linear(1, 1)) for value in values]


@pytest.mark.parametrize(("metric", "better"), [("psnr_rgb", 1), ("lpips_alex", -1)])
def test_patience_counts_validations_without_a_better_value_whichever_way_the_metric_runs(
    metric: str, better: int
) -> None:
    progress = progress_of(phases=[waiting("long", metric)])
    assert told(progress, metric, *(10 + better * value for value in (0.0, 1.0, 0.9, 2.0, 1.5, 2.0))) == [
        False
    ] * 5 + [True]
    assert progress.stopped_early == ["long"]


@pytest.mark.parametrize("last", [9.0, 11.0])
def test_a_phase_that_ran_its_whole_length_was_not_stopped(last: float) -> None:
    progress = progress_of(phases=[waiting("long")])
    told(progress, "psnr_rgb", 10.0, 9.0)
    assert progress.take_validation({"validation/psnr_rgb": last}, nn.Linear(1, 1), over=True)
    assert progress.stopped_early == []


def test_an_improvement_below_the_least_does_not_count() -> None:
    assert told(progress_of(phases=[waiting("long", least=0.5)]), "psnr_rgb", 10.0, 10.4, 10.5) == [
        False,
        False,
        True,
    ]
    assert told(progress_of(phases=[waiting("long", least=0.5)]), "psnr_rgb", 10.0, 10.4, 10.6) == [
        False,
        False,
        False,
    ]


def test_every_phase_waits_for_its_own_best() -> None:
    progress = progress_of(phases=[waiting("content"), waiting("joint")])
    assert told(progress, "psnr_rgb", 30.0, 29.0, 29.0) == [False, False, True]
    progress.next_phase()
    assert told(progress, "psnr_rgb", 25.0, 26.0, 27.0) == [
        False,
        False,
        False,
    ], "the joint phase begins lower and gets better"


@pytest.mark.parametrize(("metric", "best"), [("psnr_rgb", 0.7), ("lpips_alex", 0.2)])
def test_the_best_is_the_highest_or_the_lowest_as_the_metric_has_it(metric: str, best: float) -> None:
    progress, net = (
        progress_of(phases=[content_phase("long", 400)], keep_best=metric),
        nn.Linear(1, 1, bias=False),
    )
    for value in (0.5, 0.7, 0.2, 0.4):
        nn.init.constant_(net.weight, value)
        progress.images_seen += 8
        progress.take_validation({f"validation/{metric}": value}, net)
    assert progress.best is not None
    assert progress.best["value"] == best
    assert torch.equal(progress.best["weights"]["weight"], torch.full((1, 1), best)), (
        "a copy, not what the net became"
    )


def decided(progress: TrainingProgress, *groups: tuple[float, ...]) -> list[bool]:
    """Validations with a value a group."""
    return [
        progress.take_validation(
            {"validation/psnr_rgb": sum(values) / len(values)},
            nn.Linear(1, 1),
            by_group={"psnr_rgb": values},
        )
        for values in groups
    ]


def test_the_best_is_kept_until_another_is_better_by_more_than_chance() -> None:
    progress = progress_of(phases=[content_phase("long", 400)], keep_best="psnr_rgb")
    decided(progress, (20.0, 30.0), (22.0, 29.0))  # mean +0.5, its standard error 1.5
    assert progress.best is not None
    assert progress.best["value"] == 25.0
    decided(progress, (20.6, 30.4))  # the same mean, its standard error 0.1
    assert progress.best["value"] == 25.5


def test_patience_is_not_renewed_by_chance() -> None:
    chance = (20.0, 30.0), (23.0, 28.0), (17.0, 34.0)
    assert decided(progress_of(phases=[waiting("long")]), *chance) == [False, False, True]
    steady = (20.0, 30.0), (20.4, 30.6), (20.9, 31.1)
    assert decided(progress_of(phases=[waiting("long")]), *steady) == [False, False, False]


def test_the_values_of_the_best_survive_a_restart() -> None:
    first = progress_of(phases=[waiting("long")])
    decided(first, (20.0, 30.0))
    second = progress_of(phases=[waiting("long")])
    second.load_state(first.state())
    assert decided(second, (23.0, 28.0), (17.0, 34.0)) == [False, True]
