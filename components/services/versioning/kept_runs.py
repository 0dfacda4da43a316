"""The commits of runs that a clone keeps, one a reference below refs/refocus/runs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from components.services.versioning.git import RUNS, asked

_NAME = re.compile(r"(?P<recipe>.+)-(?P<at>[0-9]{8}T[0-9.]+Z)")


@dataclass(frozen=True)
class RunCommit:
    """One run's commit. name: RECIPE-UTC; at_s: when it was made (seconds since 1970)."""

    name: str
    commit: str
    at_s: float

    @property
    def recipe(self) -> str:
        """The recipe that was run."""
        found = _NAME.fullmatch(self.name)
        return found["recipe"] if found else self.name


def run_commits(root: Path) -> tuple[RunCommit, ...]:
    """All of them; none in a folder that is no clone."""
    listed = asked(
        root, "for-each-ref", "--format=%(refname) %(objectname) %(committerdate:unix)", f"{RUNS}/"
    )
    rows = [line.split(" ") for line in listed.words.splitlines()] if listed.well else []
    return tuple(
        RunCommit(name.removeprefix(f"{RUNS}/"), commit, float(at or 0)) for name, commit, at in rows
    )


def forget_run(name: str, *, root: Path) -> None:
    """Take the reference away; git drops the objects when it next packs, if nothing else has them."""
    asked(root, "update-ref", "-d", f"{RUNS}/{name}")
