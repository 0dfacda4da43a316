"""One order of decisions for everybody who uses a registry, wherever they are.

Who wants to move the alias of a model draws a number: a row of the model's ledger
(components/services/tracking/ledger.py). The lowest number that is still open has the turn (Lamport's
bakery, 1974, with the registry as its dispenser). Its holder writes down what it is about to do, does
it, and closes the row; the number is the fencing number, and the rows are the history.

A holder that died is found out: at once where its process was on this machine, else by its beat, a
column that changes every few seconds, standing still for a lease as the one who waits counts it (no
two clocks are compared). What it had written down is then finished by who comes next; what it had
not is dropped. A holder that was only asleep sees that its row was closed, and moves nothing.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from components.core.errors import BusyError, RefocusError
from components.registry.actor import owner
from components.services.tracking import Version, ledger

STATE, OWNER, PROCESS, SINCE, BEAT, INTENT = (
    f"refocus.{word}" for word in ("state", "owner", "process", "since", "beat", "decision")
)
WAITING, DECIDED, DONE, DROPPED = "waiting", "decided", "done", "dropped"
BEAT_S, LEASE_S, PATIENCE_S = 4.0, 20.0, 900.0
Finish = Callable[[str], None]  # carries out what a row's intent says; may be asked twice


@dataclass(frozen=True)
class Pace:
    """How often a holder says that it lives, and how long its silence may be, in seconds; what it does and
    what that is called, for those who wait. waits: or go away at the first sign that it lives.
    """

    beat_s: float
    lease_s: float
    doing: str
    called: str
    waits: bool = True


def _deciding(name: str) -> Pace:
    return Pace(BEAT_S, LEASE_S, f"deciding about {name}", f"about {name}, decision")


@dataclass
class Turn:
    """The right to decide about a model, for as long as `turn` lasts. number: the fencing number."""

    name: str
    number: int
    pace: Pace
    decided: bool = field(default=False, init=False)

    def decide(self, intent: str, words: str) -> None:
        """Write down what is about to be done. From here on it will be done, if not by us.

        Raises BusyError when somebody took us for dead and closed the row.
        """
        self.need_open()
        ledger.note(self.name, self.number, {INTENT: intent, STATE: DECIDED}, words)
        self.decided = True

    def need_open(self) -> None:
        """Raises BusyError when this turn was taken away, so that a late write never lands."""
        if ledger.row(self.name, self.number).tags.get(ledger.OPEN) != "true":
            raise BusyError(
                f"{self.pace.called} {self.number} stood still for {self.pace.lease_s:.0f} s and another"
                " caller went on without it, so nothing was moved; run the same command again"
            )


@contextmanager
def turn(
    name: str,
    about: int | None,
    finish: Finish,
    *,
    patience_s: float = PATIENCE_S,
    pace: Pace | None = None,
) -> Iterator[Turn]:
    """Wait for the turn to decide about a model and hold it for the block.

    about: the version the decision is about, if it is about one; finish: carries out the intent that a dead
    holder left. Raises BusyError when others still hold it after `patience_s`.
    """
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    columns = {STATE: WAITING, OWNER: owner(), PROCESS: _process(), SINCE: began, BEAT: "0"}
    number = ledger.add_row(name, about, columns, "waiting for its turn")
    mine = Turn(name, number, pace or _deciding(name))
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(mine, over), daemon=True)
    beating.start()
    try:
        _wait_for(mine, finish, patience_s)
        yield mine
    except BaseException:
        # What is written down will be done; what is not never happened.
        left = {STATE: DECIDED, PROCESS: "gone"} if mine.decided else {STATE: DROPPED, ledger.OPEN: "false"}
        _quietly(mine, left)
        raise
    else:
        _close(mine, DONE if mine.decided else DROPPED)
    finally:
        over.set()
        beating.join(timeout=5)


def recover(name: str, finish: Finish) -> tuple[str, ...]:
    """Finish or drop what dead holders left open; gives the intents that were carried out now.

    Holders that may be alive are left alone.
    """
    done = []
    for row in ledger.rows(name, only_open=True):
        if not is_dead(row):
            break  # who is alive comes first, and finishes what lies before it
        if intent := _settle(name, row, finish):
            done.append(intent)
    return tuple(done)


def _wait_for(mine: Turn, finish: Finish, patience_s: float) -> None:
    began, seen = time.monotonic(), dict[int, tuple[str, float]]()
    pause = 0.05
    while True:
        before = [row for row in ledger.rows(mine.name, only_open=True) if row.number < mine.number]
        if not before:
            mine.need_open()
            return
        first, now = before[0], time.monotonic()
        known = first.number in seen
        beat, since = seen.get(first.number, ("", now))
        if lives := first.tags.get(BEAT, "") != beat:
            beat, since = first.tags.get(BEAT, ""), now
        seen[first.number] = beat, since
        if is_dead(first) or now - since > mine.pace.lease_s:
            _settle(mine.name, first, finish)
            continue
        if now - began > patience_s or (known and lives and not mine.pace.waits):
            raise BusyError(
                f"{first.tags.get(OWNER, 'somebody')} has been {mine.pace.doing} since"
                f" {first.tags.get(SINCE, 'an unknown time')}; wait for it and run the same command again"
            )
        time.sleep(pause)
        pause = min(1.0, pause * 1.5)


def _settle(name: str, row: Version, finish: Finish) -> str | None:
    """Do what a dead holder was about to do, or drop its row; gives the intent that was carried out."""
    intent, state = row.tags.get(INTENT), row.tags.get(STATE)
    if state in (DONE, DROPPED):  # it ended between its last two words
        ledger.note(name, row.number, {ledger.OPEN: "false"})
        return intent if state == DONE else None
    if intent is None or state != DECIDED:
        ledger.note(name, row.number, {STATE: DROPPED, ledger.OPEN: "false"}, "dropped: its caller ended")
        return None
    finish(intent)
    ledger.note(name, row.number, {STATE: DONE, "refocus.finished_by": owner(), ledger.OPEN: "false"})
    return intent


def is_dead(row: Version) -> bool:
    """Whether a row's process is known to be gone; one on another machine never is."""
    told = row.tags.get(PROCESS, "")
    if told == "gone":
        return True
    place, _, rest = told.rpartition(" pid ")
    if not place or place != _place():
        return False
    pid, _, started = rest.partition(" ")
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


def _process() -> str:
    return f"{_place()} pid {os.getpid()} {psutil.Process().create_time():.2f}"


def _place() -> str:
    """This machine since its last start, and the process numbers' namespace in it: two containers on one
    machine count their processes apart.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _beat(mine: Turn, over: threading.Event) -> None:
    count = 0
    while not over.wait(mine.pace.beat_s):
        count += 1
        _quietly(mine, {BEAT: str(count)})


def _close(mine: Turn, state: str) -> None:
    words = None if mine.decided else "dropped: nothing had to be decided"
    ledger.note(mine.name, mine.number, {STATE: state, ledger.OPEN: "false"}, words)


def _quietly(mine: Turn, tags: dict[str, str]) -> None:
    """Write if it can be written: the lease tells the rest."""
    try:
        ledger.note(mine.name, mine.number, tags)
    except RefocusError:
        return
