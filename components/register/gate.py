"""The gate: from figures to a verdict in words. A pure function; nothing here reads a file or asks
a service.

The floors hold for every version: finite output, output in range, better than leaving the photos as
they are, fast enough. The first champion is chosen on them alone, and so provisional. When a
champion serves, the version must also be proved better on the primary metric (proof.py) and no
worse elsewhere, on the same pairs (champion_checks.py). Everything is counted in independent
groups (differences.py); with too few of them nothing is proved, which is a verdict of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from components.core.errors import LineageError, nearest
from components.core.parts import Part
from components.core.records import PhotoScore
from components.metrics.differences import (
    Better,
    Difference,
    by_group,
    counted,
    difference,
    having,
    one_that_decides,
)
from components.register.champion_checks import Check, Look, against_champion, no_worse, same_ground
from components.register.policy import GatePolicy
from components.register.proof import Looks
from components.register.remarks import left_out_told, not_known
from components.register.targets import reached

Outcome = Literal["promoted", "provisional", "refused", "not proved"]


class Measured(Part):
    """One model's rows on the test pairs."""

    scores: tuple[PhotoScore, ...]
    seconds_per_megapixel: float = Field(ge=0, description="median over photos")
    measured_on: str | None = Field(None, description="device and precision; None where it is not known")


class Verdict(Part):
    """The gate's answer: every check, and one paragraph for people. look: what this look at the
    test set found, for the count; None where no champion was compared.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    words: str
    look: Look | None = None

    @property
    def passed(self) -> bool:
        """Whether the version may serve."""
        return self.outcome in ("promoted", "provisional")


def decide(
    policy: GatePolicy,
    candidate: Measured,
    champion: Measured | None,
    better: Mapping[str, Better],
    *,
    looks: Looks | None = None,
    worn: int = 0,
) -> Verdict:
    """Decide whether a version may become champion.

    candidate: its rows, which hold the scores of doing nothing too; champion: rows on the same
    pairs, None when no model serves yet;
    better: for each metric, whether a higher or a lower value is better;
    looks: what earlier looks at this champion on this test set found; worn: looks at this test set
    in all, whatever the champion.
    Raises LineageError when the rows cannot be compared: none at all, other pairs, another device
    or precision, or a metric nobody knows.
    """
    metrics = _metrics(policy, candidate, better)
    if champion is not None:
        same_ground(candidate, champion, metrics)
    left_out = _left_out(candidate, champion)
    candidate = _without(candidate, left_out)
    champion = None if champion is None else _without(champion, left_out)
    if not candidate.scores:
        nothing = (_nothing_left(left_out),)
        return Verdict(outcome="refused", checks=nothing, words=_words("refused", nothing, ()))
    checks = _floors(policy, candidate, metrics, better)
    floors, look, broken = all(check.passed for check in checks), None, False
    if champion is not None:
        broken = not _sane(champion)
        if broken:
            words = "the champion itself gives values that are not finite, so only the floors count"
            checks.append(Check(name="the champion", passed=True, words=words))
        elif _sane(candidate):
            rows = candidate.scores, champion.scores
            more, look = against_champion(policy, *rows, metrics, better, looks or Looks(), worn)
            checks += more
    outcome = _outcome(checks, floors, champion is None or broken)
    alone = ["no champion serves yet, so the floors alone decide"] if champion is None else []
    provisional = ["provisional until a version is proved better"] if outcome == "provisional" else []
    remarks = [
        *alone,
        *provisional,
        *left_out_told(left_out, candidate.scores),
        *not_known(policy.primary, candidate.scores),
    ]
    return Verdict(outcome=outcome, checks=tuple(checks), words=_words(outcome, checks, remarks), look=look)


def _floors(
    policy: GatePolicy, candidate: Measured, metrics: Iterable[str], better: Mapping[str, Better]
) -> list[Check]:
    """What every version must show, whether a champion serves or not."""
    checks = [_enough_groups(policy, candidate), _finite(candidate), _in_range(policy, candidate)]
    if _sane(candidate):
        checks += _against_doing_nothing(policy, candidate, metrics, better)
        checks += [reached(name, limit, candidate.scores, better) for name, limit in policy.targets.items()]
    if policy.max_seconds_per_megapixel is not None:
        checks.append(_fast_enough(policy.max_seconds_per_megapixel, candidate))
    return checks


def _outcome(checks: Iterable[Check], floors: bool, first: bool) -> Outcome:
    failed = [check for check in checks if not check.passed]
    if not failed:
        return "provisional" if first else "promoted"
    return "not proved" if floors and any(check.unknown for check in failed) else "refused"


def _left_out(candidate: Measured, champion: Measured | None) -> dict[str, str]:
    """Pairs that no verdict may rest on, and why."""
    rows = candidate.scores if champion is None else (*candidate.scores, *champion.scores)
    return {score.pair: score.left_out for score in rows if score.left_out is not None}


def _without(measured: Measured, left_out: Mapping[str, str]) -> Measured:
    if not left_out:
        return measured
    kept = tuple(score for score in measured.scores if score.pair not in left_out)
    return measured.model_copy(update={"scores": kept})


def _nothing_left(left_out: Mapping[str, str]) -> Check:
    words = (
        f"all {len(left_out)} test pairs are left out of judging, such as {next(iter(left_out))}"
        f" ({next(iter(left_out.values()))}); give test photos with something in them"
    )
    return Check(name="something to judge", passed=False, words=words, value=0, limit=1)


def _metrics(policy: GatePolicy, candidate: Measured, better: Mapping[str, Better]) -> tuple[str, ...]:
    if not candidate.scores:
        raise LineageError(
            "the report has no test pair, so there is nothing to judge; give the recipe more photos, or a"
            " larger test share, and run evaluate again"
        )
    names = tuple(sorted({name for score in candidate.scores for name in score.do_nothing}))
    if unknown := [name for name in names if name not in better]:
        raise LineageError(
            f"the report scores {unknown[0]!r}, which no metric of this version is"
            f" called;{nearest(unknown[0], better)} run evaluate again"
        )
    if policy.primary not in names:
        raise LineageError(
            f"register.gate.primary is {policy.primary!r}, but the report scores"
            f" {', '.join(names)};{nearest(policy.primary, names)} correct the recipe"
        )
    return names


def _sane(measured: Measured) -> bool:
    return not _not_finite(measured)


def _not_finite(measured: Measured) -> list[str]:
    return [
        score.pair
        for score in measured.scores
        if not score.finite
        or not all(map(math.isfinite, score.restored.values()))
        or set(score.restored) != set(score.do_nothing)
    ]


def _enough_groups(policy: GatePolicy, candidate: Measured) -> Check:
    rows, needed = having(candidate.scores, policy.primary), policy.min_test_photos
    count = len({score.counts_as for score in rows})
    return Check(
        name="enough test photos",
        passed=count >= needed,
        words=f"{counted(count)} of test photos, {needed} needed",
        value=count,
        limit=needed,
    )


def _finite(candidate: Measured) -> Check:
    bad = _not_finite(candidate)
    words = (
        f"{len(bad)} of {len(candidate.scores)} test photos came out with NaN or infinity, such as {bad[0]}"
        if bad
        else "every output is finite"
    )
    return Check(name="finite output", passed=not bad, words=words, value=len(bad), limit=0)


def _in_range(policy: GatePolicy, candidate: Measured) -> Check:
    ends = [
        end
        for score in candidate.scores
        for end in (-score.output_min, score.output_max - 1)
        if math.isfinite(end)
    ]
    beyond = max(ends, default=math.inf)
    passed = beyond <= policy.range_tolerance
    words = f"output leaves [0, 1] by {max(beyond, 0):.3g} at most, {policy.range_tolerance:.3g} is allowed"
    value = beyond if math.isfinite(beyond) else None
    return Check(name="output range", passed=passed, words=words, value=value, limit=policy.range_tolerance)


def _fast_enough(limit: float, candidate: Measured) -> Check:
    seconds = candidate.seconds_per_megapixel
    words = f"{seconds:.3g} s per megapixel, {limit:.3g} allowed"
    return Check(name="time per megapixel", passed=seconds <= limit, words=words, value=seconds, limit=limit)


def _against_doing_nothing(
    policy: GatePolicy, candidate: Measured, metrics: Iterable[str], better: Mapping[str, Better]
) -> list[Check]:
    checks = []
    for name in metrics:
        rows = having(candidate.scores, name)
        gained = {score.pair: score.restored[name] - score.do_nothing[name] for score in rows}
        groups, gains = by_group(rows, gained, better[name])
        found = difference(gains, policy.confidence)
        if name != policy.primary:
            checks.append(no_worse("doing nothing", name, found, policy.margins.get(name, 0.0)))
            continue

        def enough(found: Difference) -> bool:
            return found.mean > policy.min_gain and found.worst > 0

        passed = enough(found)
        without = {
            group: enough(difference(np.delete(gains, place), policy.confidence))
            for place, group in enumerate(groups)
            if len(groups) > 1
        }
        words = f"{name} {found.words} against doing nothing"
        words += (
            "" if passed else f"; more than {policy.min_gain:+.4g} is needed, and a whole interval above 0"
        )
        alone = one_that_decides(groups, gains, without, passed)
        words += "" if alone is None else f"; {alone}"
        checks.append(
            Check(
                name=f"better than doing nothing: {name}",
                passed=passed,
                words=words,
                value=found.mean,
                limit=policy.min_gain,
            )
        )
    return checks


def _words(outcome: Outcome, checks: Sequence[Check], remarks: Iterable[str]) -> str:
    if outcome in ("promoted", "provisional"):
        said = [check.words for check in checks if check.name.startswith("better than")]
        return "promoted: " + "; ".join([*said, *remarks])
    failed = [check for check in checks if not check.passed]
    if outcome == "not proved":
        failed = sorted(failed, key=lambda check: not check.unknown)
    return f"{outcome}: " + "; ".join([*(check.words for check in failed), *remarks])


__all__ = ["Better", "Check", "GatePolicy", "Measured", "Outcome", "Verdict", "decide"]
