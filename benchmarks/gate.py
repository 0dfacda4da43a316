"""How often the gate is wrong, and what it can see: python benchmarks/gate.py [--runs N] [--only NAME ...].

A simulation of nightly retraining: each night a new model is judged against the champion on one
test set, and serves when the rule says so. Seeded (--seed); four minutes on two idle cores. "today"
is the rule until November 2026: the mean below five photos, else the 95 % percentile bootstrap
above 0. "new" is components/register/proof.py, by its own functions.

A model has a true value (the mean over all photos there could be) and its own noise on each group
of the test set. The noise of two equal trainings differs by 0.13 dB (sd over photos; five seeds of
`demo`), that of one is 0.13/√2. True values of equal models are equal; with a spread between
trainings they differ, and the better is truly better.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from components.register.proof import Looks, Rule, claimed, needed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SPREAD_DB = 0.13
RULE = Rule()
ROTATE_AFTER = 250
LEAST_GROUPS = 8
RESAMPLES = 1000
GROUPS = (3, 5, 8, 12, 20, 30, 73)


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


def false_promotions(runs: int, seed: int) -> None:
    """An equal model serves at some time, by number of groups and nights."""
    print("\n## An equal model is promoted within N nights, % of runs\n")
    print(
        "| groups | today 30 | today 100 | today 1000 | new 30 | new 100 | new 1000, rotated every 250 |\n|"
        + " ---: |" * 7
    )
    for groups in GROUPS:
        old = first_wins(Today, World(groups), 1000, max(runs // 20, 100), seed, None)
        new = first_wins(New, World(groups), 1000, runs, seed, ROTATE_AFTER)
        cells = [100 * (first <= within).mean() for first in (old, new) for within in (30, 100, 1000)]
        print(f"| {groups} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)


def departures(runs: int, seed: int) -> None:
    """The same where the world is less kind than the table above."""
    print("\n## The same for the new rule, where noise is not normal and even\n")
    print("| noise | groups | 30 nights | 100 | 1000 |\n| --- |" + " ---: |" * 4)
    kinds: dict[str, dict[str, Any]] = {
        "t, 4 degrees of freedom": {"tails": 4.0},
        "t, 3 degrees of freedom": {"tails": 3.0},
    }
    kinds |= {"photos differ": {"uneven": True}, "photos differ, t 4": {"uneven": True, "tails": 4.0}}
    kinds |= {"one model in 20 twice as wide": {"wide": 2.0}}
    for words, options in kinds.items():
        for groups in (8, 12, 30):
            first = first_wins(New, World(groups, **options), 1000, runs, seed, ROTATE_AFTER)
            print(
                f"| {words} | {groups} | "
                + " | ".join(f"{100 * (first <= n).mean():.1f}" for n in (30, 100, 1000))
                + " |",
                flush=True,
            )


def frames(runs: int, seed: int) -> None:
    """Eleven scenes of 101 frames: half of the variance is the scene's."""
    print("\n## 11 scenes of 101 frames, equal models: promoted, % of runs\n")
    print("| unit | one look | 30 nights |\n| --- | ---: | ---: |")
    rng, scenes, each = np.random.default_rng(seed), 11, 101
    runs = max(runs // 10, 200)
    part = SPREAD_DB / 2  # sd of one model's noise on a scene, and of its noise on a frame within it
    for words, rule, by_frame in (
        ("today, frames", Today(runs, scenes * each), True),
        ("new, scenes", New(runs, scenes), False),
    ):
        ever, once = np.zeros(runs, bool), np.zeros(runs, bool)
        champion = [rng.normal(0, part, (runs, scenes, size)) for size in (1, each)]
        for night in range(30):
            scene, frame = (rng.normal(0, part, (runs, scenes, size)) for size in (1, each))
            gains = scene + frame - champion[0] - champion[1]
            if by_frame:  # the percentile interval of 1,111 values is the normal one
                flat = gains.reshape(runs, -1)
                won = flat.mean(1) > 1.96 * flat.std(1, ddof=1) / np.sqrt(flat.shape[1])
            else:
                won, _ = rule.judge(gains.mean(2))
            once = won if night == 0 else once
            ever |= won
        print(f"| {words} | {100 * once.mean():.1f} | {100 * ever.mean():.1f} |", flush=True)


def spread_trainings(runs: int, seed: int) -> None:
    """Trainings truly differ: does a worse one serve, and is the claimed gain true?"""
    print("\n## 30 nights, trainings that truly differ\n")
    print(
        "| groups | spread of trainings, dB | rule | some promotion, % | a truly worse one, % | claimed |"
        " true | claimed − true |"
    )
    print("|" + " ---: |" * 2 + " --- |" + " ---: |" * 5)
    for groups in (3, 8, 12, 30, 73):
        for spread in (0.03, 0.06, 0.11):
            for words, judge, share in (("today", Today, 20), ("new", New, 1)):
                ever, worse, told, true = np.zeros(runs // share, bool), np.zeros(runs // share, bool), [], []
                for night in nights(judge, World(groups, trainings=spread), 30, runs // share, seed, None):
                    ever |= night.won
                    worse |= night.won & (night.true < 0)
                    told.append(night.claimed[night.won])
                    true.append(night.true[night.won])
                said, is_so = np.concatenate(told), np.concatenate(true)
                cells = [f"{100 * ever.mean():.0f}", f"{100 * worse.mean():.2f}"]
                cells += (
                    [f"{x:+.3f}" for x in (said.mean(), is_so.mean(), (said - is_so).mean())]
                    if len(said)
                    else ["–"] * 3
                )
                print(f"| {groups} | {spread} | {words} | " + " | ".join(cells) + " |", flush=True)


def seen(runs: int, seed: int) -> None:
    """Power, and what is claimed, by gain, groups and night."""
    print("\n## Power: a version better by this much is promoted that night, %; claimed − true, dB\n")
    moments = (1, 2, 5, 100)
    print(
        "| groups | gain, dB | today, night 1 | "
        + " | ".join(f"new, night {n}" for n in moments)
        + " | claimed − true |"
    )
    print("|" + " ---: |" * (4 + len(moments)))
    for groups in (8, 12, 20, 30, 50, 73):
        for gain in (0.1, 0.15, 0.2, 0.3):
            old = next(
                nights(Today, World(groups, steps={1: gain}), 1, max(runs // 4, 200), seed, None)
            ).won.mean()
            cells, off = [f"{100 * old:.0f}"], []
            for moment in moments:
                *_, last = nights(New, World(groups, steps={moment: gain}), moment, runs, seed, ROTATE_AFTER)
                cells.append(f"{100 * last.won.mean():.1f}")
                off.append((last.claimed - last.true)[last.won])
            told = np.concatenate(off)
            print(
                f"| {groups} | {gain} | "
                + " | ".join(cells)
                + f" | {told.mean() if len(told) else 0:+.3f} |",
                flush=True,
            )


def all_better(runs: int, seed: int) -> None:
    """After a rollback every version is better than the champion: none stands out among the others."""
    print(
        "\n## All versions are better than the champion by as much (after a rollback), 30 groups: promoted"
        " within N nights, %\n"
    )
    print("| gain, dB | 1 | 5 | 20 | 50 |\n|" + " ---: |" * 5)
    for gain in (0.1, 0.2):
        first = first_wins(New, World(30, steps=dict.fromkeys(range(1, 51), gain)), 50, runs, seed, None)
        print(
            f"| {gain} | " + " | ".join(f"{100 * (first <= n).mean():.0f}" for n in (1, 5, 20, 50)) + " |",
            flush=True,
        )


def several(runs: int, seed: int) -> None:
    """Three correlated metrics and three severity classes, all of which must hold: margins as
    GatePolicy has them, in dB's scale.

    The other metrics differ by as much as PSNR where a margin of 0.002 SSIM is 0.1 dB; a class has
    noise of its own besides (sd 0.13 dB a group).
    """
    print("\n## Several metrics (correlation 0.7) and severity classes at once, % of runs\n")
    print(
        "| groups | true gains: primary, second, third metric; strong blur, dB | one look | 30 nights |\n"
        "| ---: | --- | ---: | ---: |"
    )
    cases = {
        "0, 0, 0; 0": (0, 0, 0, 0),
        "+0.1, +0.1, +0.1; +0.1": (0.1,) * 4,
        "+0.2, +0.2, +0.2; +0.2": (0.2,) * 4,
    }
    cases |= {
        "+0.2, −0.15, +0.2; +0.2": (0.2, -0.15, 0.2, 0.2),
        "+0.2, +0.2, +0.2; −0.4": (0.2, 0.2, 0.2, -0.4),
    }
    mixing = np.linalg.cholesky(np.full((3, 3), 0.7) + 0.3 * np.eye(3))
    for groups in (8, 30):
        for words, truth in cases.items():
            rng, rule = np.random.default_rng(seed), New(runs, groups)
            champion = [rng.standard_normal((runs, groups, 3)) for _ in range(2)]
            ever = np.zeros(runs, bool)
            once = 0.0
            for night in range(30):
                model = [rng.standard_normal((runs, groups, 3)) for _ in range(2)]
                noise = (model[0] - champion[0]) @ mixing.T * SPREAD_DB / np.sqrt(2)
                gains = noise + np.array(truth[:3])
                classes = (
                    noise[:, :, :1]
                    + (model[1] - champion[1]) * SPREAD_DB / np.sqrt(2)
                    + np.array((truth[0], truth[0], truth[3]))
                )
                won, _ = rule.judge(gains[:, :, 0])
                error = gains[:, :, 1:].std(1, ddof=1) / np.sqrt(groups)
                won = won & (
                    gains[:, :, 1:].mean(1) - stats.t.isf(RULE.once, groups - 1) * error >= -0.1
                ).all(1)
                won = won & (classes.mean(1) >= -0.2).all(1)
                once = won.mean() if night == 0 else once
                ever |= won
            print(f"| {groups} | {words} | {100 * once:.1f} | {100 * ever.mean():.1f} |", flush=True)


PARTS = {
    part.__name__: part
    for part in (false_promotions, departures, frames, spread_trainings, seen, all_better, several)
}


def main() -> None:
    """Print the tables of docs/figures.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    chosen = parser.parse_args()
    began = time.monotonic()
    print(
        f"{chosen.runs} runs, seed {chosen.seed}; {RULE}, rotated after {ROTATE_AFTER} looks,"
        f" at least {LEAST_GROUPS} groups"
    )
    for name in chosen.only:
        PARTS[name](chosen.runs, chosen.seed)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
