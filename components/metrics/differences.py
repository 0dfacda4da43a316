"""How much better one model is than another, over independent groups: what the gate's checks rest on.

A group is what counts once: a scene, a clip, a burst, a photo with its near duplicates, several
blurs of a photo. Its pairs are averaged first; the interval is Student's t over groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy  # imports its parts when first used; special has stats' numbers without its second of import
from pydantic import Field

from components.core.parts import Part
from components.core.records import PhotoScore

Better = Literal["higher", "lower"]
ENOUGH_GROUPS = 5
Gains = npt.NDArray[np.float64]


class Difference(Part):
    """How much better one model is than another on one metric; positive is better. `low` and `high`
    are absent where the mean alone decides.
    """

    mean: float
    low: float | None
    high: float | None
    variance: float = Field(ge=0, description="of the groups' gains; 0 for one group")
    groups: int

    @property
    def worst(self) -> float:
        """What decides: the lower end of the interval, or the mean where there is none."""
        return self.mean if self.low is None else self.low

    @property
    def words(self) -> str:
        """+0.89 (+0.40 to +1.31 over 12 groups)."""
        if self.low is None or self.high is None:
            few = ", too few for an interval" if self.groups < ENOUGH_GROUPS else ""
            return f"{self.mean:+.4g} (mean of {counted(self.groups)}{few})"
        return f"{self.mean:+.4g} ({self.low:+.4g} to {self.high:+.4g} over {counted(self.groups)})"


def counted(groups: int) -> str:
    """A number of groups in words."""
    return f"{groups} group{'' if groups == 1 else 's'}"


def having(scores: Sequence[PhotoScore], metric: str) -> tuple[PhotoScore, ...]:
    """The rows that have the metric: test pairs and inputs without a target have different ones."""
    return tuple(score for score in scores if metric in score.restored)


def by_group(
    scores: Iterable[PhotoScore], gains: Mapping[str, float], better: Better
) -> tuple[tuple[str, ...], Gains]:
    """The groups' names and their mean gains. gains: of pairs, by id; those not in it are left out."""
    sign = 1.0 if better == "higher" else -1.0
    groups: dict[str, list[float]] = {}
    for score in sorted(scores, key=lambda score: score.pair):
        if score.pair in gains:
            groups.setdefault(score.counts_as, []).append(sign * gains[score.pair])
    return tuple(groups), np.array([np.mean(values) for values in groups.values()])


def difference(gains: Gains, confidence: float) -> Difference:
    """The mean over groups with its interval; the mean alone below five groups."""
    count, mean = len(gains), float(gains.mean())
    variance = float(gains.var(ddof=1)) if count > 1 else 0.0
    if count < ENOUGH_GROUPS:
        return Difference(mean=mean, low=None, high=None, variance=variance, groups=count)
    away = float(-scipy.special.stdtrit(count - 1, (1 - confidence) / 2) * np.sqrt(variance / count))
    return Difference(mean=mean, low=mean - away, high=mean + away, variance=variance, groups=count)


def mean_alone(found: Difference) -> Difference:
    """The same without an interval."""
    return found.model_copy(update={"low": None, "high": None})


def one_that_decides(
    names: Sequence[str], gains: Gains, passes: Mapping[str, bool], whole: bool
) -> str | None:
    """The group without which the answer would be another, in words; None where no single one is.

    passes: for each group, whether the check passes without it; whole: whether it does with all.
    Of several the one that is farthest from the others is named.
    """
    turning = [place for place, name in enumerate(names) if passes.get(name, whole) != whole]
    if not turning:
        return None
    place = max(turning, key=lambda place: abs(gains[place] - np.median(gains)))
    without = float(np.delete(gains, place).mean())
    return (
        f"group {names[place][:16]} ({gains[place]:+.4g}) alone makes the difference: without it"
        f" {without:+.4g}"
    )
