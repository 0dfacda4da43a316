"""How long each step of a run took, and how much of it was orchestration: everything that is not
computing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from components.pipeline.project import Run


@dataclass(frozen=True)
class Step:
    """One step: what became of it (ran, restored, reused), how long it took, and how much of that
    was its own work.
    """

    name: str
    how: str
    seconds: float
    computing_s: float


def orchestration_share(steps: Sequence[Step], total_s: float) -> float:
    """The share of a run, in [0, 1], that went to anything but the stages' own work.

    >>> orchestration_share([Step("train", "ran", 9.0, 8.0)], 10.0)
    0.2
    """
    return round(max(0.0, 1 - sum(step.computing_s for step in steps) / total_s), 4) if total_s > 0 else 0.0


def keep_times(run: Run, steps: Sequence[Step], total_s: float) -> None:
    """Add a row to timings/RECIPE.jsonl in the state folder."""
    row = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "recipe": run.name,
        "total_s": round(total_s, 2),
        "orchestration_share": orchestration_share(steps, total_s),
        "steps": [
            {
                "name": step.name,
                "how": step.how,
                "seconds": round(step.seconds, 2),
                "computing_s": round(step.computing_s, 2),
            }
            for step in steps
        ],
    }
    path = run.project.state / "timings" / f"{run.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        stream.write(json.dumps(row) + "\n")


def times_line(steps: Sequence[Step], total_s: float) -> str:
    """The times in one line: every step, the whole, and the share that was orchestration."""
    parts = [
        f"{step.name} {step.seconds:.1f} s" if step.how == "ran" else f"{step.name} {step.how}"
        for step in steps
    ]
    return (
        f"{', '.join(parts)}; {total_s:.1f} s in all, {orchestration_share(steps, total_s):.0%} of it"
        " orchestration"
    )
