"""Nights of retraining, played in many houses at once: what benchmarks/gate.py counts.

A model has a true value (the mean over all photos there could be) and its own noise on each group
of the test set. The noise of two equal trainings differs by 0.13 dB (sd over photos; five seeds of
`demo`), that of one is 0.13/√2. True values of equal models are equal; with a spread between
trainings they differ, and the better is truly better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from components.register.proof import Looks, Rule, claimed, needed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SPREAD_DB = 0.13
RULE = Rule()
ROTATE_AFTER = 250
LEAST_GROUPS = 8
RESAMPLES = 1000


@dataclass(frozen=True)
class World:
    """What trainings and test sets are like."""

    groups: int
    tails: float | None = None  # degrees of freedom of t noise; None: normal
    uneven: bool = False  # photos differ in how far trainings part on them (lognormal, sigma 0.6)
    wide: float = 1.0  # one night in twenty brings a model whose noise is so many times as large
    trainings: float = 0.0  # dB: spread of true values between trainings
    frames: int = 1  # frames of each group; then noise has a part of the group and one of the frame
    steps: dict[int, float] = field(
        default_factory=dict
    )  # night: how much better its model is than night 0's champion

    def noise(self, rng: np.random.Generator, runs: int, scale: Floats | float) -> Floats:
        """(runs, groups): one model's noise on each group."""
        size = (runs, self.groups)
        drawn = rng.standard_normal(size) if self.tails is None else rng.standard_t(self.tails, size)
        unit = 1.0 if self.tails is None else np.sqrt(self.tails / (self.tails - 2))
        noise: Floats = drawn * scale / unit * SPREAD_DB / np.sqrt(2)
        return noise

    def scale(self, rng: np.random.Generator, runs: int) -> Floats | float:
        """How far trainings part on each group of a test set."""
        return rng.lognormal(-0.18, 0.6, (runs, self.groups)) if self.uneven else 1.0


@dataclass(frozen=True)
class Night:
    """What one night's rule decided in every run."""

    number: int
    won: Bools
    true: Floats  # gain over the champion it met
    measured: Floats
    claimed: Floats


class Today:
    """The rule until now: no memory, no correction."""

    def __init__(self, runs: int, groups: int) -> None:
        # the same draws every night, as the gate's seed makes them
        drawn = np.random.default_rng(0).integers(0, groups, (RESAMPLES, groups))
        self.weights = np.stack([np.bincount(row, minlength=groups) for row in drawn], 1) / groups

    def judge(self, gains: Floats) -> tuple[Bools, Floats]:
        """Which runs promote, and what gain is claimed."""
        mean = gains.mean(1)
        if gains.shape[1] < 5:
            return mean > 0, mean
        place = int(np.floor(0.025 * (RESAMPLES - 1)))
        return np.partition(gains @ self.weights, place, axis=1)[:, place] > 0, mean

    def forget(self, runs: Bools) -> None:
        """A new champion or a new test set."""


class New:
    """The rule of components/register/proof.py with its looks."""

    def __init__(self, runs: int, groups: int) -> None:
        self.looks = Looks(np.zeros(runs), np.zeros(runs), np.zeros(runs))

    def judge(self, gains: Floats) -> tuple[Bools, Floats]:
        """Which runs promote, and what gain is claimed."""
        mean, variance, groups = gains.mean(1), gains.var(1, ddof=1), gains.shape[1]
        found = needed(RULE, groups, variance, self.looks)
        self.looks = self.looks.after(mean, variance)
        won = (mean > found.limit) & (groups >= LEAST_GROUPS)
        told = np.zeros(len(mean))
        if won.any():
            told[won] = claimed(mean[won], replace(found, limit=found.limit[won], error=found.error[won]))
        return won, told

    def forget(self, runs: Bools) -> None:
        """A new champion or a new test set."""
        keep = ~runs
        self.looks = Looks(
            *(np.asarray(value) * keep for value in (self.looks.count, self.looks.mean, self.looks.variance))
        )


Judge = Callable[[int, int], Any]


def nights(
    judge: Judge, world: World, count: int, runs: int, seed: int, rotate: int | None
) -> Iterator[Night]:
    """Play `count` nights in `runs` houses at once. rotate: nights after which every test set is a
    new one.
    """
    rng = np.random.default_rng(seed)
    rule, scale = judge(runs, world.groups), world.scale(rng, runs)
    champion, champion_noise = np.zeros(runs), world.noise(rng, runs, scale)
    for night in range(1, count + 1):
        if rotate and night > 1 and (night - 1) % rotate == 0:
            scale = world.scale(rng, runs)
            champion_noise = world.noise(rng, runs, scale)
            rule.forget(np.ones(runs, bool))
        true = rng.standard_normal(runs) * world.trainings + world.steps.get(night, 0.0)
        noise = world.noise(rng, runs, scale) * (world.wide if rng.random() < 0.05 else 1.0)
        gains = (true - champion)[:, None] + noise - champion_noise
        won, told = rule.judge(gains)
        yield Night(night, won, true - champion, gains.mean(1), told)
        champion = np.where(won, true, champion)
        champion_noise = np.where(won[:, None], noise, champion_noise)
        rule.forget(won)


def first_wins(
    judge: Judge, world: World, count: int, runs: int, seed: int, rotate: int | None
) -> npt.NDArray[np.int64]:
    """The night of the first promotion in each run; a number above `count` where there was none."""
    first = np.full(runs, count + 1)
    for night in nights(judge, world, count, runs, seed, rotate):
        first[night.won] = np.minimum(first[night.won], night.number)
    return first
