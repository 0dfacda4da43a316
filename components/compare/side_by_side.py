"""The arithmetic of a comparison: figures over the pairs that all contenders share, each beside doing
nothing and beside the first one, with intervals over independent groups (as the gate counts them,
components/metrics/differences.py).

With several beside the first, each interval is wider, so that all of them hold at once (Bonferroni).
Nothing here decides what serves: the gate also knows how often a test set was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.compare.contenders import Contender
from components.core.errors import LineageError
from components.core.record import Record
from components.core.records import PhotoScore
from components.core.releases import noted
from components.metrics import METRICS
from components.metrics.differences import Difference, by_group, difference, having
from components.register.champion_checks import SAME_GROUND
from components.services.tracking.training import flatten

CONFIDENCE = 0.95
Rows = Mapping[str, PhotoScore]  # by pair


@dataclass(frozen=True)
class Line:
    """One metric. values: means over groups, one a contender; gains: over doing nothing; beside: over the
    first contender, None for itself.
    """

    metric: str
    nothing: float
    values: tuple[float, ...]
    gains: tuple[Difference, ...]
    beside: tuple[Difference | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Contenders on the pairs that they share. remarks: what a reader must know about the ground."""

    contenders: tuple[Contender, ...]
    rows: tuple[Rows, ...]
    groups: int
    confidence: float
    lines: tuple[Line, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    remarks: tuple[str, ...]

    @property
    def pairs(self) -> tuple[str, ...]:
        """Ids of the shared pairs, in order."""
        return tuple(sorted(self.rows[0]))


def compare(
    contenders: Sequence[Contender], scores: Sequence[Sequence[PhotoScore]], remarks: Sequence[str] = ()
) -> Comparison:
    """Compare on the pairs that all have and were given alike.

    scores: a contender's rows. Raises LineageError when nothing is shared: no pair, no metric, or
    figures of another device.
    """
    _same_place(contenders, scores)
    metrics = [name for name in METRICS if all(having(each, name) for each in scores)]
    if not metrics:
        raise LineageError(
            f"{_names(contenders)} have no metric in common; name the pairs to measure all of them on: --on"
            " RECIPE"
        )
    rows = _shared(scores, metrics)
    if not rows[0]:
        counts = ", ".join(str(len(each)) for each in scores)
        raise LineageError(
            f"{_names(contenders)} were measured on other test pairs ({counts} of them, none in common and"
            " given alike), so their figures cannot be compared; name the pairs to measure all of them on:"
            " --on RECIPE"
        )
    confidence = 1 - (1 - CONFIDENCE) / (len(contenders) - 1)
    shared = tuple(rows[0].values())
    lines = tuple(_line(name, rows, confidence) for name in metrics if having(shared, name))
    return Comparison(
        tuple(contenders),
        rows,
        lines[0].gains[0].groups,
        confidence,
        lines,
        settings_that_differ(contenders),
        (*remarks, *_ground(contenders, scores, rows)),
    )


def settings_that_differ(contenders: Sequence[Contender]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Dotted names with a value a contender; then what they rest on, where that differs."""
    flat = [dict(flatten(each.recipe.sections)) for each in contenders]
    names = list(dict.fromkeys(name for each in flat for name in each))
    rows = [(name, tuple(each.get(name, "") for each in flat)) for name in names]
    rows += [
        ("recipe", tuple(each.recipe.name for each in contenders)),
        ("pairs", tuple(each.checkpoint.pairset[:12] for each in contenders)),
        ("training's code", tuple(each.checkpoint.code_digest[:12] for each in contenders)),
        ("git commit", tuple(each.commit[:12] or "not recorded" for each in contenders)),
        ("images seen", tuple(f"{each.checkpoint.images_seen:,}" for each in contenders)),
        ("trained on", tuple(_trained_on(each) for each in contenders)),
        *_releases("training", [each.checkpoint for each in contenders]),
        *_releases("report", [each.report for each in contenders]),
    ]
    return tuple(row for row in rows if len(set(row[1])) > 1)


def _releases(what: str, records: Sequence[Record]) -> list[tuple[str, tuple[str, ...]]]:
    """A row for each library that records were made with; what is not told may be any."""
    told = [noted(record.about) for record in records]
    names = dict.fromkeys(name for each in told for name in each)
    return [
        (f"{name} of the {what}", tuple(each.get(name, "not recorded") for each in told)) for name in names
    ]


def _trained_on(contender: Contender) -> str:
    """Device and arithmetic, as far as the training noted them."""
    computed = contender.checkpoint.about.get("computed")
    if not isinstance(computed, dict):
        return "not recorded"
    exact = ", deterministic" if computed.get("deterministic") else ""
    return f"{computed.get('device')}, {computed.get('precision')}{exact}"


def _line(metric: str, rows: Sequence[Rows], confidence: float) -> Line:
    better = METRICS[metric].better
    rows = [{pair: row for pair, row in each.items() if metric in row.restored} for each in rows]
    order = [rows[0][pair] for pair in sorted(rows[0])]

    def over(mine: Mapping[str, float], others: Mapping[str, float]) -> Difference:
        gained = {pair: mine[pair] - others[pair] for pair in mine}
        return difference(by_group(order, gained, better)[1], confidence)

    nothing = {pair: row.do_nothing[metric] for pair, row in rows[0].items()}
    values = [{pair: row.restored[metric] for pair, row in each.items()} for each in rows]
    return Line(
        metric,
        float(by_group(order, nothing, "higher")[1].mean()),
        tuple(float(by_group(order, each, "higher")[1].mean()) for each in values),
        tuple(over(each, nothing) for each in values),
        (None, *(over(each, values[0]) for each in values[1:])),
    )


def _shared(scores: Sequence[Sequence[PhotoScore]], metrics: Sequence[str]) -> tuple[Rows, ...]:
    rows = [
        {found.pair: found for score in each if (found := _with(score, metrics)).restored and _counts(found)}
        for each in scores
    ]
    alike = [
        pair
        for pair in rows[0]
        if all(pair in each and _untouched_alike(each[pair], rows[0][pair]) for each in rows)
    ]
    return tuple({pair: each[pair] for pair in sorted(alike)} for each in rows)


def _with(score: PhotoScore, metrics: Sequence[str]) -> PhotoScore:
    """The row with those of the metrics that it has, and no others."""
    restored, nothing = (
        {name: side[name] for name in metrics if name in side} for side in (score.restored, score.do_nothing)
    )
    return score.model_copy(update={"restored": restored, "do_nothing": nothing})


def _counts(score: PhotoScore) -> bool:
    return score.left_out is None and all(map(math.isfinite, score.restored.values()))


def _untouched_alike(some: PhotoScore, others: PhotoScore) -> bool:
    """Whether the untouched pair scores the same: the same photo with another blur is another pair."""
    if some.do_nothing.keys() != others.do_nothing.keys():
        return False
    away = [abs(some.do_nothing[name] - others.do_nothing[name]) for name in some.do_nothing]
    return bool(np.max(away) <= SAME_GROUND)


def _same_place(contenders: Sequence[Contender], scores: Sequence[Sequence[PhotoScore]]) -> None:
    stored = [each for each, rows in zip(contenders, scores, strict=True) if rows is each.scores]
    places = {each.report.measured_on for each in stored} - {None}
    if len(places) > 1:
        told = "; ".join(f"{each.name} on {each.report.measured_on}" for each in stored)
        raise LineageError(
            f"they were measured on different devices ({told}), and rounding differs; measure them here:"
            " --on RECIPE"
        )


def _ground(
    contenders: Sequence[Contender], scores: Sequence[Sequence[PhotoScore]], rows: Sequence[Rows]
) -> list[str]:
    parted = [
        f"{each.name} {len(some) - len(rows[0])} of {len(some)}"
        for each, some in zip(contenders, scores, strict=True)
        if len(some) > len(rows[0])
    ]
    return [
        f"compared on the {len(rows[0])} test pairs that all share; not counted: {', '.join(parted)}"
    ] * bool(parted)


def _names(contenders: Sequence[Contender]) -> str:
    return " and ".join(each.name for each in contenders)
