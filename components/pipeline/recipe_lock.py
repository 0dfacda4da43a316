"""One process at a time makes a recipe's results: a whole run, or one stage by hand. A second one would write
into the same folders and states, and what one of them has read the other would change.

    with held("demo", state) as holder: …

A run's stages are processes of their own; they find in REFOCUS_RUN that the run holds the lock for them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from components.core.errors import BusyError
from components.core.files import write_text
from components.core.locks import locked
from components.core.own_state import read_json
from components.pipeline.project import Run, is_of_a_run
from components.services import versioning


@contextmanager
def held(recipe: str, state: Path) -> Iterator[Path]:
    """Hold a recipe's lock for the length of a block; gives the file that says who does. What a holder that
    was killed outright left at work is ended first.

    Raises BusyError, naming the holder's process and since when, when another is at work.
    """
    holder = state / "locks" / f"{recipe}.json"
    with ExitStack() as kept:
        try:
            kept.enter_context(locked(holder.with_suffix(".lock"), patience_s=0))
        except BusyError:
            told = read_json(holder) or {}
            pid, since = told.get("pid", "unknown"), told.get("since", "unknown")
            raise BusyError(
                f"another run of {recipe} is at work: process {pid} since {since}; wait for it, or end it"
                f" with `kill {pid}`"
            ) from None
        _clear_leftovers(holder)
        write_text(
            holder, json.dumps({"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"})
        )
        kept.callback(holder.unlink, missing_ok=True)
        yield holder


@contextmanager
def held_by_hand(run: Run) -> Iterator[None]:
    """Hold the lock around a stage that was started by hand, or by DVC alone."""
    with ExitStack() as kept:
        if not is_of_a_run(run.name):
            kept.enter_context(held(run.name, run.project.state))
        yield


def note_child(holder: Path | None, pid: int) -> None:
    """Remember the child now at work, so that a run killed outright can be cleaned up after."""
    if holder is not None:
        told = read_json(holder) or {}
        write_text(
            holder,
            json.dumps({**told, "child": pid, "child_since": psutil.Process(pid).create_time()}),
        )


def _clear_leftovers(holder: Path) -> None:
    """End what a run that was killed outright (kill -9) left at work: two trainings in one folder
    would spoil each other.
    """
    told = read_json(holder)
    if told is None:
        return
    try:
        same = "child" in told and psutil.Process(told["child"]).create_time() == told["child_since"]
    except psutil.NoSuchProcess:
        same = True  # its leader is gone; what is left of its session is ended all the same
    if same and "child" in told:
        versioning.end_tree(told["child"])
