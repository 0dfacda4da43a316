"""Where a run happens: in the checkout by hand, in a git worktree of its own when scheduled; never
twice at once for a recipe.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from components.core.errors import BusyError
from components.core.files import STATE_VARIABLE, state_folder, write_text
from components.recipes import PHOTOS_VARIABLE
from components.services import versioning


@dataclass(frozen=True)
class Workspace:
    """A checkout that one run of one recipe has for itself."""

    recipe: str
    root: Path
    debug: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    holder: Path | None = None

    def note_child(self, pid: int) -> None:
        """Remember the child now at work, so that a run killed outright can be cleaned up after."""
        if self.holder is not None:
            told = json.loads(self.holder.read_text())
            write_text(
                self.holder,
                json.dumps({**told, "child": pid, "child_since": psutil.Process(pid).create_time()}),
            )


@contextmanager
def workspace(
    recipe: str, root: Path, *, photos: str | None = None, worktree: bool = False, debug: bool = False
) -> Iterator[Workspace]:
    """Hold a recipe's lock for as long as the block lasts, and give the place to run in.

    photos: takes the place of the recipe's ingest.photos; worktree: HEAD in a folder of its own,
    with this checkout's cache and state.
    Raises BusyError, naming the holder's process and since when, if another run of the recipe is at
    work.
    """
    versioning.need_clone(root)
    versioning.need_in_graph(root, recipe)
    state = state_folder(root)
    with _held(recipe, state) as holder, _variables({STATE_VARIABLE: str(state), PHOTOS_VARIABLE: photos}):
        if not worktree:
            yield Workspace(recipe, root, debug, {}, holder)
            return
        folder = state / "worktrees" / f"{recipe}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
        versioning.add_worktree(folder, root=root)
        try:
            versioning.share_with(root, folder)
            last = versioning.last_run(recipe, root=root)
            lock = versioning.file_at(last, "dvc.lock", root=root) if last else None
            if lock:
                write_text(folder / "dvc.lock", lock)
            paths = os.pathsep.join(part for part in (str(folder), os.environ.get("PYTHONPATH", "")) if part)
            yield Workspace(recipe, folder, debug, {"PYTHONPATH": paths}, holder)
        finally:
            versioning.remove_worktree(folder, root=root)


@contextmanager
def _held(recipe: str, state: Path) -> Iterator[Path]:
    folder = state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f"{recipe}.json"
    lock = FileLock(folder / f"{recipe}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        told = json.loads(holder.read_text()) if holder.is_file() else {}
        pid, since = told.get("pid", "unknown"), told.get("since", "unknown")
        raise BusyError(
            f"another run of {recipe} is at work: process {pid} since {since}; wait for it, or end it with"
            f" `kill {pid}`"
        ) from None
    try:
        _clear_leftovers(holder)
        write_text(
            holder, json.dumps({"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"})
        )
        yield holder
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _clear_leftovers(holder: Path) -> None:
    """End what a run that was killed outright (kill -9) left at work: two trainings in one folder
    would spoil each other.
    """
    if not holder.is_file():
        return
    told = json.loads(holder.read_text())
    try:
        same = "child" in told and psutil.Process(told["child"]).create_time() == told["child_since"]
    except psutil.NoSuchProcess:
        same = True  # its leader is gone; what is left of its session is ended all the same
    if same and "child" in told:
        versioning.end_tree(told["child"])


@contextmanager
def _variables(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for the block; None leaves one as it is."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
