"""How often the gate is wrong, and what it can see: python benchmarks/gate.py [--runs N] [--only NAME ...].

A simulation of nightly retraining: each night a new model is judged against the champion on one
test set, and serves when the rule says so. Seeded (--seed); four minutes on two idle cores. "today"
is the rule until November 2026: the mean below five photos, else the 95 % percentile bootstrap
above 0. "new" is components/register/proof.py, by its own functions.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from gate_nights import (
    LEAST_GROUPS,
    ROTATE_AFTER,
    RULE,
    SPREAD_DB,
    New,
    Today,
    World,
    first_wins,
    nights,
)
from scipy import stats

GROUPS = (3, 5, 8, 12, 20, 30, 73)


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
