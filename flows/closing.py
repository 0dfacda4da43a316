"""What a person is told at the end of a run: the figures, the verdict, where to look, what changed
in git, how long it took.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from components.core.records import EvalReport, ModelVersion
from components.evaluate.tables import terminal_table
from components.registry.decision import Decision
from components.registry.drift import Drift
from components.services import versioning
from flows.timing import Step, times_line

PICTURES = (".png", ".jpg")
LABEL = 15  # letters of a line's first word and the blanks behind it


def closing_lines(
    root: Path,
    commit: str,
    version: ModelVersion,
    report: EvalReport,
    decision: Decision,
    steps: Sequence[Step],
    total_s: float,
    *,
    stays: bool = True,
) -> tuple[str, ...]:
    """The last words of a run.

    root: the checkout it ran in; commit: the one that holds what was used; stays: the checkout is still
    there after the run.
    """
    picture = best_sheet(report)
    look = [f"side by side   {_short(picture)}"] if picture and stays else []
    page = _short(report.folder / "report.html") if stays else "report.html in the training's run, in MLflow"
    return (
        "",
        *terminal_table(report).splitlines(),
        "",
        f"verdict        {decision.told}",
        *_asked(decision),
        f"registered     {version.name} version {version.version}",
        *look,
        f"report         {page}",
        "runs           make ui (MLflow's page)",
        f"git            {_git_words(root) if stays else ''}commit {commit[:12]} holds what this run used",
        f"time           {times_line(steps, total_s)}",
    )


def _asked(decision: Decision) -> list[str]:
    if not decision.waits:
        return []
    return [
        f'approval       refocus approve {decision.name}:{decision.version} --reason "…"   (or reject; until'
        f" {decision.expires_at})"
    ]


def drift_lines(drift: Sequence[Drift]) -> tuple[str, ...]:
    """What a person is told of drift: a line for each row beyond its limit."""
    beyond = [row for row in drift if row.beyond]
    if not drift:
        return ()
    if not beyond:
        return (f"drift          none of {len(drift)} statistics and figures beyond its limit",)
    return tuple(f"drift          warning: {row.words}" for row in beyond)


def best_sheet(report: EvalReport) -> Path | None:
    """The side-by-side picture of the photo that gained most, if the report has one."""
    found = sorted(path for path in report.folder.rglob("*best*") if path.suffix in PICTURES)
    return found[0] if found else None


def as_markdown(lines: Sequence[str]) -> str:
    """The last words of a run for a page: the table as it is, what follows as a list whose lines break.

    >>> print(as_markdown(["", "PSNR  26.4", "", "verdict        promoted", "time           9 s"]))
    ```text
    PSNR  26.4
    ```
    <BLANKLINE>
    - **verdict** promoted
    - **time** 9 s
    """
    first = next((number for number, line in enumerate(lines) if line.startswith("verdict")), len(lines))
    table = "\n".join(lines[:first]).strip("\n")
    told = "\n".join(f"- **{line[:LABEL].strip()}** {line[LABEL:].strip()}" for line in lines[first:] if line)
    return f"```text\n{table}\n```\n\n{told}"


def _git_words(root: Path) -> str:
    """What is not committed where the run's person works."""
    lines = versioning.changes(root)
    edited = [line[3:] for line in lines if not line.endswith("dvc.lock")]
    locked = (
        "dvc.lock names the data and artifacts of this run; commit it to share them"
        if len(edited) < len(lines)
        else "dvc.lock is as committed"
    )
    others = (
        f"; {len(edited)} other file{'s' if len(edited) > 1 else ''} not committed"
        f" ({', '.join(edited[:3])}{', …' if len(edited) > 3 else ''})"
        if edited
        else ""
    )
    return f"{locked}{others}; "


def _short(path: Path) -> str:
    """A path as one would type it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
