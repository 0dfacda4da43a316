"""The gate's questions about a version beside the champion, on the same pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from pydantic import Field

from components.core.errors import LineageError
from components.core.parts import Part
from components.core.records import PhotoScore
from components.metrics.differences import (
    Better,
    Difference,
    Gains,
    by_group,
    counted,
    difference,
    having,
    mean_alone,
    one_that_decides,
)
from components.register.policy import GatePolicy
from components.register.proof import Looks, claimed, lower_end, needed

CLASSES = ("mild", "medium", "strong")
SAME_GROUND = 1e-3


class Check(Part):
    """One question of the gate and its answer. `value` and `limit` are absent where there is no
    single number. unknown: it failed as nothing can be known, not as something is bad.
    """

    name: str
    passed: bool
    words: str
    value: float | None = None
    limit: float | None = None
    unknown: bool = False


class Look(Part):
    """What one look at a champion on a test set found, on the primary metric; kept for the next."""

    groups: tuple[str, ...] = Field(description="names of the independent groups")
    mean: float
    variance: float = Field(ge=0, description="of the groups' gains")


class Rows(Protocol):
    """One model's rows, and where they were measured."""

    @property
    def scores(self) -> tuple[PhotoScore, ...]:
        """A row a test pair."""
        ...

    @property
    def measured_on(self) -> str | None:
        """Device and precision."""
        ...


def against_champion(
    policy: GatePolicy,
    ours: Sequence[PhotoScore],
    champions: Sequence[PhotoScore],
    metrics: Iterable[str],
    better: Mapping[str, Better],
    looks: Looks,
    worn: int,
) -> tuple[list[Check], Look]:
    """Better on the primary metric, no worse on the others and in every severity class."""
    theirs = {score.pair: score for score in champions}
    checks: list[Check] = []
    look: Look | None = None
    for name in metrics:
        rows = having(ours, name)
        gained = {score.pair: score.restored[name] - theirs[score.pair].restored[name] for score in rows}
        groups, gains = by_group(rows, gained, better[name])
        found = difference(gains, policy.confidence)
        if name == policy.primary:
            look = Look(groups=groups, mean=found.mean, variance=found.variance)
            checks += _known(policy, found, worn)
            checks.append(_better(policy, name, groups, gains, found, looks))
        else:
            low = mean_alone(found)
            if len(groups) >= policy.least_groups:
                end = lower_end(found.mean, found.variance, found.groups, policy.rule.once)
                low = found.model_copy(update={"low": end, "high": 2 * found.mean - end})
            checks.append(no_worse("the champion", name, low, policy.margins.get(name, 0.0)))
        checks += _by_class(policy, name, rows, gained, better[name])
    assert look is not None, "the primary metric is among the metrics"
    return checks, look


def no_worse(than: str, name: str, found: Difference, margin: float) -> Check:
    """A metric may be worse by its margin at most, at the lower end of its interval."""
    passed = found.worst >= -margin
    words = f"{name} {found.words} against {than}"
    words += "" if passed else f"; at most {margin:.4g} worse is allowed"
    return Check(
        name=f"no worse than {than}: {name}", passed=passed, words=words, value=found.worst, limit=-margin
    )


def same_ground(candidate: Rows, champion: Rows, metrics: Iterable[str]) -> None:
    """Raises LineageError when two models' rows cannot be compared: other pairs, another device or
    precision, or other values of doing nothing.
    """
    places = candidate.measured_on, champion.measured_on
    if None not in places and places[0] != places[1]:
        raise LineageError(
            f"the version was measured on {places[0]}, the champion on {places[1]}: rounding differs, so they"
            " are not compared; measure the version here (`dvc repro --force --single-item evaluate@RECIPE`),"
            " or promote where it was measured"
        )
    ours, theirs = ({score.pair: score for score in rows.scores} for rows in (candidate, champion))
    if ours.keys() != theirs.keys():
        raise LineageError(
            f"candidate and champion were measured on other pairs ({len(ours.keys() ^ theirs.keys())}"
            " differ); run evaluate again"
        )
    for pair, score in ours.items():
        for name in sorted({*metrics} & score.do_nothing.keys()):
            there = theirs[pair].do_nothing.get(name)
            if there is None or abs(there - score.do_nothing[name]) > SAME_GROUND:
                raise LineageError(
                    f"candidate and champion were not measured alike: {name} of the untouched pair {pair} is"
                    f" {score.do_nothing[name]:.6g} in one and {there if there is None else f'{there:.6g}'}"
                    " in the other; run evaluate again"
                )


def _known(policy: GatePolicy, found: Difference, worn: int) -> list[Check]:
    """Whether this test set can prove anything at all; nothing is said where it can."""
    checks = []
    if found.groups < policy.least_groups:
        missing = policy.least_groups - found.groups
        words = (
            f"{counted(found.groups)}, at least {policy.least_groups} are needed before a champion is"
            f" replaced: add {missing} or more to the test photos, each of another scene (`refocus power"
            " RECIPE` says what they would show)"
        )
        checks.append(
            Check(
                name="enough groups",
                passed=False,
                words=words,
                value=found.groups,
                limit=policy.least_groups,
                unknown=True,
            )
        )
    if worn >= policy.looks_per_set:
        words = (
            f"this test set was looked at {worn} times of the {policy.looks_per_set} that it bears:"
            " rotate it (raise ingest.split.rotation by one where photos are held in reserve, or give other"
            " test photos); the champion is then measured on the new ones"
        )
        checks.append(
            Check(
                name="a test set that is not worn",
                passed=False,
                words=words,
                value=worn,
                limit=policy.looks_per_set,
                unknown=True,
            )
        )
    return checks


def _better(
    policy: GatePolicy, name: str, groups: Sequence[str], gains: Gains, found: Difference, looks: Looks
) -> Check:
    """The proof: components/register/proof.py."""

    def proves(gains: Gains) -> bool:
        if len(gains) < 2:
            return False
        return bool(gains.mean() > needed(policy.rule, len(gains), float(gains.var(ddof=1)), looks).limit)

    passed, words = proves(gains), f"{name} {found.words} against the champion"
    limit = policy.least_gain
    if found.groups > 1:
        wanted = needed(policy.rule, found.groups, found.variance, looks)
        limit = float(wanted.limit)
        words += (
            f", of which {float(claimed(found.mean, wanted)):+.4g} is claimed, for it was selected"
            if passed
            else f"; that is no proof of being better: more than {limit:+.4g} is needed here"
        )
    without = {
        group: proves(np.delete(gains, place)) for place, group in enumerate(groups) if len(groups) > 2
    }
    alone = one_that_decides(groups, gains, without, passed)
    words += "" if alone is None else f"; {alone}"
    return Check(
        name=f"better than the champion: {name}", passed=passed, words=words, value=found.mean, limit=limit
    )


def _by_class(
    policy: GatePolicy,
    name: str,
    ours: Sequence[PhotoScore],
    gained: Mapping[str, float],
    better: Better,
) -> list[Check]:
    """Within a severity class there are few groups, so its mean decides, against a wider margin."""
    checks = []
    for kind in sorted(
        {score.severity_class for score in ours},
        key=lambda word: CLASSES.index(word) if word in CLASSES else len(CLASSES),
    ):
        of_kind = [score for score in ours if score.severity_class == kind]
        found = difference(by_group(of_kind, gained, better)[1], policy.confidence)
        margin = policy.class_margins.get(name, 0.0)
        checks.append(no_worse(f"the champion on {kind} blur", name, mean_alone(found), margin))
    return checks
