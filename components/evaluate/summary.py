"""From one row a photo to what a report says: means, gains, and the same by severity and by blur
kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from components.core.records import PhotoScore
from components.metrics import METRICS, primary_of
from components.metrics.differences import Difference, by_group, difference, having

SEVERITIES = ("mild", "medium", "strong")


@dataclass(frozen=True)
class Group:
    """Photos that have something in common, with their means."""

    name: str
    count: int
    restored: dict[str, float]
    do_nothing: dict[str, float]
    improved: int  # photos whose primary metric got better

    def gain(self, metric: str) -> float:
        """How much better the restored photos are on average; positive is better."""
        return METRICS[metric].gain(self.restored[metric], self.do_nothing[metric])


def gain_of(score: PhotoScore, metric: str | None = None) -> float:
    """How much better one photo became, by the metric that puts photos in order unless another is named;
    positive is better.
    """
    metric = metric or primary_of(score.restored)
    return METRICS[metric].gain(score.restored[metric], score.do_nothing[metric])


def whole(scores: Sequence[PhotoScore]) -> Group:
    """All photos as one group."""
    return _group("all", scores)


def apart(scores: Sequence[PhotoScore]) -> tuple[tuple[PhotoScore, ...], ...]:
    """The rows that were held against targets, and those that have none: what is measured of them differs.
    One part where all are alike.
    """
    parts = ([row for row in scores if row.paired], [row for row in scores if not row.paired])
    return tuple(tuple(part) for part in parts if part)


def of_the_set(scores: Sequence[PhotoScore]) -> tuple[PhotoScore, ...]:
    """The rows that metrics of the whole set rest on: all, but for test pairs beside two domains."""
    return apart(scores)[-1]


def metrics_of(scores: Sequence[PhotoScore], names: Sequence[str]) -> tuple[str, ...]:
    """Those of the metrics that the rows have."""
    return tuple(name for name in names if having(scores, name))


def gain_over_groups(scores: Sequence[PhotoScore], metric: str) -> Difference:
    """How much better than doing nothing over the independent groups of the rows that have the metric, with
    its 95 % interval.
    """
    rows = having(scores, metric)
    gained = {row.pair: gain_of(row, metric) for row in rows}
    return difference(by_group(rows, gained, "higher")[1], 0.95)


def has_blur(scores: Sequence[PhotoScore]) -> bool:
    """Whether there is a blur to sort by; super-resolution and translation mostly have none."""
    return any(score.severity > 0 for score in scores)


def by_severity(scores: Sequence[PhotoScore]) -> tuple[Group, ...]:
    """One group a severity class, mild first; classes without photos are left out."""
    return _groups(scores, lambda score: score.severity_class, SEVERITIES)


def by_blur_kind(scores: Sequence[PhotoScore]) -> tuple[Group, ...]:
    """One group a blur kind, in alphabetical order."""
    return _groups(scores, lambda score: score.blur_kind, ())


def ranked(scores: Sequence[PhotoScore]) -> tuple[PhotoScore, ...]:
    """Photos from the most gained to the least; equal gains in the order of their ids."""
    return tuple(sorted(scores, key=lambda score: (-gain_of(score), score.pair)))


def seconds_per_megapixel(scores: Sequence[PhotoScore]) -> float:
    """Median over photos of what one megapixel took."""
    return median(score.seconds / score.megapixels for score in scores)


def _groups(
    scores: Sequence[PhotoScore], key: Callable[[PhotoScore], str], first: Iterable[str]
) -> tuple[Group, ...]:
    found = {key(score) for score in scores}
    order = [name for name in first if name in found]
    order += sorted(found.difference(order))
    return tuple(_group(name, [score for score in scores if key(score) == name]) for name in order)


def _group(name: str, scores: Sequence[PhotoScore]) -> Group:
    rows = {metric: having(scores, metric) for metric in dict.fromkeys(n for s in scores for n in s.restored)}
    return Group(
        name=name,
        count=len(scores),
        restored={metric: fmean(row.restored[metric] for row in own) for metric, own in rows.items()},
        do_nothing={metric: fmean(row.do_nothing[metric] for row in own) for metric, own in rows.items()},
        improved=sum(gain_of(score) > 0 for score in scores),
    )
