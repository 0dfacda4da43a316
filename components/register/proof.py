"""When a gain is proved: the rule behind the gate, as pure arithmetic (simulated by
benchmarks/gate.py, with these functions).

What is judged. A trained model has a true gain over the champion: the mean of the metric's
difference over the population of photos that the test set was drawn from, for these two sets of
weights. Luck with the seed of a training is no error: such a model is truly better. The error comes
from the test set's few independent groups (a scene, a clip, a burst, a photo with its near
duplicates), and it is made night after night on the same groups.

What is promised. A champion is replaced by a version that is no better with a probability of
`level` at most in `nights` looks, the test set being rotated after `looks_per_set`, whatever the
number of groups from `least_groups` on.

How. d are the gains of one version over the champion, one a group; n their number; K the looks
before this one at the same champion on the same groups.

1. The spread is the larger of the version's own variance and the mean over all looks, with at most
   4 (n - 1) degrees of freedom: each look has the champion's noise in it, so their mean does not
   become exact (Satterthwaite 1946).
2. The first looks (`OPENING`) are t tests at a level of their own (Student 1908).
3. Later looks know more. A champion that had bad luck with these groups is beaten by everybody,
   which is how most false promotions come about when many are compared with one control (Dunnett
   1955). So a version must beat the champion at level/50, and stand out among the versions judged
   before, whose mean has that bad luck in it too, at level / (2 nights) (Bonferroni). Or it beats
   the champion at that last level alone: after a rollback all are better.
4. The gain must also be `least_gain`, below what seeds do.
5. Every other metric and severity class must hold as well (Berger 1982, the intersection-union
   test): such conditions cannot add to the error, so they need no correction.
6. The gain that is claimed is corrected for having been selected: the most likely one given that it
   passed its limit (Zhong & Prentice 2008; Ghosh, Zou & Wright 2008).

Refused: percentile bootstrap (too narrow on few groups); level/(k (k + 1)), which loses all power
in weeks; two halves that must both agree (Dwork et al. 2015, "The reusable holdout"), which need
nearly twice the groups for the same power; Bonferroni over all nights alone, which sees +0.1 dB on
30 groups in fewer than half of the cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy  # imports its parts when first used; special has stats' numbers without its second of import

Floats = npt.NDArray[np.float64]

OPENING = 4  # looks at a champion on a test set before those that follow can be compared with them
FIRST, NEXT, ONCE = (
    1 / 25,
    3 / 250,
    1 / 50,
)  # of the level: at the first look, at the other opening ones, at one look


@dataclass(frozen=True)
class Rule:
    """What is promised. level: probability; nights: looks at one champion; least_gain: in the
    metric's units.
    """

    level: float = 0.05
    nights: int = 1000
    least_gain: float = 0.05

    @property
    def once(self) -> float:
        """The level of one look at something that is asked beside the champion test."""
        return self.level * ONCE

    @property
    def lasting(self) -> float:
        """The level of one look of many."""
        return self.level / (2 * self.nights)


@dataclass(frozen=True)
class Looks:
    """What earlier looks at the same champion on the same groups found. Arrays stand for many
    histories at once.

    count: how many; mean: mean over them of their mean gains; variance: mean over them of their
    variances over groups.
    """

    count: npt.ArrayLike = 0
    mean: npt.ArrayLike = 0.0
    variance: npt.ArrayLike = 0.0

    def after(self, mean: npt.ArrayLike, variance: npt.ArrayLike) -> Looks:
        """With one look more."""
        count = np.asarray(self.count)
        return Looks(
            count + 1,
            (count * np.asarray(self.mean) + mean) / (count + 1),
            (count * np.asarray(self.variance) + variance) / (count + 1),
        )


@dataclass(frozen=True)
class Needed:
    """How large a mean gain must be. limit: in the metric's units; error: its standard error."""

    limit: Floats
    error: Floats


def needed(rule: Rule, groups: int, variance: npt.ArrayLike, looks: Looks) -> Needed:
    """The mean gain that proves a version better.

    groups: at least 2; variance: of the gains over groups, with groups - 1 in the denominator.
    """
    own, count = np.asarray(variance, np.float64), np.asarray(looks.count)
    free = np.minimum(count + 1, 4) * (groups - 1)
    spread = np.maximum(own, looks.after(0.0, own).variance)
    error = np.sqrt(spread / groups)

    def above(level: npt.ArrayLike) -> Any:
        return -scipy.special.stdtrit(free, level) * error

    opening = above(np.where(count == 0, rule.level * FIRST, rule.level * NEXT))
    earlier = np.maximum(count, 1)
    stands_out = np.asarray(looks.mean) + above(rule.lasting) * np.sqrt((1 + 1 / earlier) / 2)
    later = np.minimum(np.maximum(above(rule.once), stands_out), above(rule.lasting))
    return Needed(np.maximum(np.where(count < OPENING, opening, later), rule.least_gain), error)


def claimed(mean: npt.ArrayLike, found: Needed) -> Floats:
    """The gain to report of a version that passed: the most likely true one, given that its mean
    passed the limit.

    Solves d + error · h((limit - d) / error) = mean for d, h being the normal hazard; between 0 and
    the mean.
    """
    mean = np.asarray(mean, np.float64)
    error = np.maximum(found.error, 1e-12)
    low, high = mean - 40 * error, mean.copy()
    for _ in range(60):
        middle = (low + high) / 2
        away = (found.limit - middle) / error
        hazard = np.exp(-(away**2) / 2 - np.log(np.sqrt(2 * np.pi)) - scipy.special.log_ndtr(-away))
        too_small = middle + error * hazard < mean
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    return np.asarray(np.clip((low + high) / 2, 0.0, np.maximum(mean, 0.0)))


def lower_end(mean: float, variance: float, groups: int, level: float) -> float:
    """One-sided t bound: the true mean is above it with a probability of 1 - level."""
    return float(mean + scipy.special.stdtrit(groups - 1, level) * np.sqrt(variance / groups))


def power(rule: Rule, groups: int, spread: float, gain: float, looks: int = 0) -> float:
    """How probably a version that is better by `gain` is promoted at the look after `looks` ones
    that found no gain.

    spread: standard deviation of the gains over groups of two equal trainings. Other metrics are
    not reckoned with.
    """
    found = needed(rule, groups, spread**2, Looks(looks, 0.0, spread**2))
    ratio, error = float(found.limit / max(float(found.error), 1e-12)), spread / np.sqrt(groups)
    if looks == 0:
        # the spread is estimated from these groups, but the least gain is a number
        proved = scipy.stats.nct.sf(ratio, groups - 1, gain / error)
        return float(min(proved, scipy.special.ndtr((gain - rule.least_gain) / error)))
    return float(scipy.special.ndtr((gain - float(found.limit)) / error))


def visible_gain(rule: Rule, groups: int, spread: float, wanted: float = 0.8) -> float:
    """The smallest gain that is seen with the wanted probability at a first look; in the metric's units."""
    low, high = 0.0, rule.least_gain + 100 * spread
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power(rule, groups, spread, middle) < wanted else (low, middle)
    return high


def groups_needed(
    rule: Rule, spread: float, gain: float, wanted: float = 0.8, most: int = 100_000
) -> int | None:
    """The fewest groups on which a gain is seen with the wanted probability at a first look.

    None when `most` are not enough, such as for a gain that is not above the least one.
    """
    if power(rule, most, spread, gain) < wanted:
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(rule, middle, spread, gain) >= wanted else (middle, high)
    return high
