"""Absolute figures that a recipe asks of every version: `register.gate.targets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.core.records import PhotoScore
from components.metrics.differences import Better, by_group, having
from components.register.champion_checks import Check


def reached(name: str, limit: float, scores: Sequence[PhotoScore], better: Mapping[str, Better]) -> Check:
    """Whether the mean over groups is at least the limit, or at most where lower is better. A metric that
    was not measured is not reached.
    """
    title, side = f"target: {name}", "at least" if better[name] == "higher" else "at most"
    rows = having(scores, name)
    if not rows:
        words = (
            f"{name} must be {side} {limit:g} (gate.targets) and was not measured: add it to"
            " evaluate.metrics, and give its weights where it needs some"
        )
        return Check(name=title, passed=False, words=words, limit=limit)
    values = {score.pair: score.restored[name] for score in rows}
    found = float(by_group(rows, values, "higher")[1].mean())
    passed = found >= limit if better[name] == "higher" else found <= limit
    words = f"{name} is {found:.4g}, and gate.targets asks for {side} {limit:g}"
    return Check(name=title, passed=passed, words=words, value=found, limit=limit)
