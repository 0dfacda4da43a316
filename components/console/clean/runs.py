"""Commits of runs (refs/refocus/runs/), and worktrees that killed runs left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import psutil

from components.console.clean.items import Item, Retention, age_words, bytes_of, newest_change
from components.pipeline.project import Project
from components.services import tracking, versioning
from components.services.tracking import registry


def commits(project: Project, retention: Retention, *, and_registered: bool) -> Iterator[Item]:
    """The commit of every run, newest first a recipe. Taking one away takes the name, and git the
    objects when it next packs; those in a git remote stay.
    """
    found = versioning.run_commits(project.root)
    registered = {} if not found or and_registered else _registered()
    count: dict[str, int] = {}
    for run in sorted(found, key=lambda run: run.at_s, reverse=True):
        count[run.recipe] = count.get(run.recipe, 0) + 1
        if run.commit in registered:
            goes, why = False, f"{registered[run.commit]} was made by it"
        elif count[run.recipe] <= retention.runs:
            goes, why = False, f"one of the newest {retention.runs} of {run.recipe}"
        elif retention.is_young(run.at_s):
            goes, why = False, f"younger than {retention.days:g} days"
        else:
            goes, why = True, f"{age_words(run.at_s)}, and no registered version rests on it"
        yield Item(
            "commits of runs",
            run.name,
            0,
            goes,
            why,
            partial(versioning.forget_run, run.name, root=project.root),
        )


def worktrees(project: Project) -> Iterator[Item]:
    """Folders of scheduled runs; that of a run which still works stays."""
    folder = project.state / "worktrees"
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        pid = place.name.rpartition("-")[2]
        works = (
            pid.isdigit() and psutil.pid_exists(int(pid)) and _began_before(int(pid), newest_change(place))
        )
        yield Item(
            "worktrees",
            place.name,
            bytes_of(place),
            not works,
            f"process {pid} is at work in it" if works else "its run is gone",
            partial(versioning.remove_worktree, place, root=project.root),
        )


def _registered() -> dict[str, str]:
    """Versions by the commit that made them; of several the first. Raises ServiceError when the registry
    does not answer.
    """
    if not tracking.is_used():
        return {}
    versions = (each for each in registry.search("") if not each.name.endswith(tracking.ledger.SUFFIX))
    return {
        each.tags[registry.GIT_COMMIT]: each.words for each in versions if registry.GIT_COMMIT in each.tags
    }


def _began_before(pid: int, moment: float) -> bool:
    """Whether a process is old enough to be the one that a folder is named after."""
    try:
        return psutil.Process(pid).create_time() <= moment + 1
    except psutil.Error:
        return False
