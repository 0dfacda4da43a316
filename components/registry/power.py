"""What a recipe's test set can show: `refocus power RECIPE`.

Which gain a version must truly have so that the gate sees it with this many independent groups, and
how many groups a gain of +0.1 needs. The spread between two trainings is the one measured when
versions were compared; before the first comparison that of five seeds of the demo is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.core.errors import LineageError
from components.core.records import EvalReport
from components.metrics import METRICS
from components.metrics.differences import counted, having
from components.register.config import RegisterConfig
from components.register.policy import GatePolicy
from components.register.proof import groups_needed, power, visible_gain
from components.registry import looks
from components.services import tracking

DEMO_SPREAD_DB = 0.13  # two trainings of `demo` that differ in their seed alone, a photo's PSNR
WANTED = 0.8  # probability that a gain is seen
ASKED = 0.1  # the gain whose groups are told, in the primary metric's units


@dataclass(frozen=True)
class Spread:
    """How far two equal trainings part on one group, and where that is known from."""

    value: float
    source: str


def report_power(config: RegisterConfig, report: EvalReport) -> tuple[str, ...]:
    """Lines for people. report: the recipe's, whose test groups are counted.

    Raises LineageError when no spread is known: another metric than PSNR, and nothing compared yet.
    """
    rows = having(report.scores(), config.gate.primary)
    groups = tuple({score.counts_as for score in rows if score.left_out is None})
    champion = tracking.at_alias(config.name, tracking.CHAMPION)
    worn = looks.history(config.name, champion.number, groups).worn if champion is not None else 0
    return told(config.gate, len(groups), _spread(config), worn)


def told(policy: GatePolicy, groups: int, spread: Spread, worn: int) -> tuple[str, ...]:
    """The same from numbers alone."""
    metric = METRICS[policy.primary]
    rule = policy.rule

    def shown(gain: float) -> str:
        return metric.text(gain, signed=True)

    lines = [
        f"test set       {counted(groups)} (scenes, clips, near duplicates; several blurs of a photo are"
        f" one), looked at {worn} times of {policy.looks_per_set}",
        f"spread         {metric.text(spread.value)} between two trainings on one group, {spread.source}",
    ]
    if groups < policy.least_groups:
        lines.append(
            f"can be seen    nothing: a champion is never replaced with fewer than {policy.least_groups}"
            f" groups; add {policy.least_groups - groups} or more to the test photos, each of another scene"
        )
    else:
        chances = ", ".join(
            f"{shown(gain)} in {100 * power(rule, groups, spread.value, gain):.0f}"
            for gain in (ASKED, 2 * ASKED)
        )
        lines.append(
            f"can be seen    a gain of {shown(visible_gain(rule, groups, spread.value, WANTED))} in"
            f" {100 * WANTED:.0f} of 100 cases; {chances}"
        )
    wanted = groups_needed(rule, spread.value, ASKED, WANTED)
    if wanted is None:
        lines.append(
            f"to see {shown(ASKED)} more than can be had: register.gate.least_gain is"
            f" {shown(policy.least_gain)}; lower it"
        )
    else:
        needed = max(wanted, policy.least_groups)
        more = f", {needed - groups} more than there are" if needed > groups else ", which are there"
        lines.append(f"to see {shown(ASKED)} {counted(needed)}{more}, in {100 * WANTED:.0f} of 100 cases")
    lines.append(
        f"promise        a version that is no better replaces a champion with a probability of"
        f" {100 * policy.level:g} % at most in {policy.nights} comparisons"
    )
    return tuple(lines)


def _spread(config: RegisterConfig) -> Spread:
    measured = looks.spread(config.name)
    if measured is not None:
        return Spread(measured, "measured where versions were compared")
    if not config.gate.primary.startswith("psnr"):
        raise LineageError(
            f"no two versions of {config.name} were compared yet, so their spread in"
            f" {config.gate.primary} is not known; run the recipe twice, or make psnr_rgb the primary metric"
        )
    return Spread(DEMO_SPREAD_DB, "that of five seeds of the demo, as no two versions were compared yet")
