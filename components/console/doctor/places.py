"""What `refocus doctor` looks at in the project: its path, git, the recipes, whose the files are,
locks.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from components import recipes
from components.console.doctor.findings import Check, Finding
from components.core.causes import owner_of
from components.core.errors import RefocusError
from components.core.files import need_plain
from components.core.locks import is_held
from components.core.surroundings import inherited
from components.pipeline.project import Project
from components.services import versioning

MOST_FILES = 50_000  # of each folder: enough to find what somebody did as root


def path(project: Project) -> Iterator[Finding]:
    """Whether the project's path can be passed on."""
    try:
        need_plain(project.root)
        yield Finding("path", str(project.root))
    except RefocusError as error:
        yield Finding("path", str(project.root), str(error))


def git(project: Project) -> Iterator[Finding]:
    """Whether a run could be recorded."""
    left_out = [name for name in inherited() if name.startswith("GIT_")]
    if left_out:
        yield Finding(
            "git variables", f"{', '.join(left_out)} left out: they are a hook's, or another clone's"
        )
    try:
        versioning.need_clone(project.root)
        count = len(versioning.changes(project.root))
        yield Finding("git", f"a clone with {count} uncommitted change{'s' if count != 1 else ''}")
    except RefocusError as error:
        yield Finding("git", "no clone that a run can record", str(error))
        return
    ignored = versioning.ignored(project.root, versioning.GRAPH, versioning.LOCK)
    if ignored:
        yield Finding(
            "git ignore",
            f"{', '.join(ignored)} ignored",
            "DVC refuses to keep its record in a file that git ignores: take the pattern out of your ignore"
            " file, or add `!/dvc.lock` to .gitignore",
        )


def recipe_files(project: Project) -> Iterator[Finding]:
    """Whether every recipe can be read."""
    found, refused = recipes.load_all(project.root)
    yield Finding("recipes", ", ".join(found) or "none")
    for name, error in refused.items():
        yield Finding("recipes", f"{name} cannot be read", str(error))


def owners(project: Project) -> Iterator[Finding]:
    """Whether this user may write what runs write."""
    folders = [project.state, *(project.root / name for name in (".dvc", ".git", "data"))]
    for folder in folders:
        found = [each for each in itertools.islice(_below(folder), MOST_FILES) if _foreign(each)]
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield Finding(
                f"rights, {folder.name}",
                f"{found[0]}{more} belong{'' if more else 's'} to {owner_of(found[0])}",
                f"give them back (was sudo used once?): sudo chown -R $(id -u):$(id -g) '{folder}'",
            )


def locks(project: Project) -> Iterator[Finding]:
    """Which locks are held, and whether each can be had."""
    busy = []
    for each in sorted((project.state / "locks").glob("*.lock")):
        try:
            if is_held(each):
                busy.append(each.stem)
        except RefocusError as error:
            yield Finding(f"lock {each.stem}", "cannot be had", str(error))
    yield Finding("locks", f"held now: {', '.join(busy)}" if busy else "free")


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        here = Path(top)
        yield from (here / name for name in (*folders, *files))


def _foreign(each: Path) -> bool:
    """Whether a file is another user's and closed to this one. Objects of git and DVC are closed to
    everybody, their owner included.
    """
    try:
        return each.lstat().st_uid != os.getuid() and not each.is_symlink() and not os.access(each, os.W_OK)
    except OSError:
        return False


CHECKS: tuple[Check, ...] = (path, git, recipe_files, owners, locks)
