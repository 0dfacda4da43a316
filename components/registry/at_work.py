"""One run of a recipe at a time for everybody who uses a registry: two schedulers, or two laptops, that work
out the same at once would write into the same states and trackings.

Who has something to do draws a number, as who decides does (turns.py): a row of RECIPE.run.decisions, which
is at once the record of who worked and when. On one machine with a registry of its own a lock file does the
same (components/pipeline/recipe_lock.py), and no row is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from components.core.errors import BusyError, RefocusError
from components.registry import turns
from components.services import tracking
from components.services.tracking import ledger, store

BEAT_S, LEASE_S = 15.0, 60.0  # for hours at a time: a few requests a minute, and a minute to be found dead
SUFFIX = ".run"


@contextmanager
def alone(recipe: str, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Be the only one who runs a recipe for the length of a block; gives a function that raises BusyError
    once another has gone on without us, to be asked before anything that others see.

    Raises BusyError, naming who works and since when, where somebody else does.
    """
    if not store.is_shared():
        yield lambda: None
        return
    tracking.prepare()
    name = f"{recipe}{SUFFIX}"
    pace = turns.Pace(BEAT_S, LEASE_S, f"running {recipe}", f"the run of {recipe}, number", waits=False)
    if others := [row for row in ledger.rows(name, only_open=True) if not turns.is_dead(row)]:
        words = f"{others[0].tags.get(turns.OWNER, 'somebody')} seems to be running {recipe}"
        say(f"{words}; listening for a sign of life, {LEASE_S:.0f} s at most")
    began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    with turns.turn(name, None, _nothing, patience_s=2 * LEASE_S, pace=pace) as mine:
        yield mine.need_open
    _told(name, mine.number, f"a run of {recipe}, from {began} to its end")


def _told(name: str, number: int, words: str) -> None:
    try:
        ledger.note(name, number, {}, words)
    except RefocusError:
        return  # it is over all the same


def _nothing(intent: str) -> None:
    """A run writes no intent down: who comes next does its work again, or finds it done."""
    raise BusyError(f"{intent!r} was left by no run of this program; delete that row on MLflow's page")
