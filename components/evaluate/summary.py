"""From one row a photo to what a report says: means, gains, and the same by severity and by blur
kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from components.core.records import PhotoScore
from components.metrics import METRICS, primary_of

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
    metrics = tuple(scores[0].restored)
    return Group(
        name=name,
        count=len(scores),
        restored={metric: fmean(score.restored[metric] for score in scores) for metric in metrics},
        do_nothing={metric: fmean(score.do_nothing[metric] for score in scores) for metric in metrics},
        improved=sum(gain_of(score) > 0 for score in scores),
    )
