"""A progress bar that says how fast and how long still; on a terminal it stays on its line, in a
log it speaks now and then.

A line that ends in a carriage return is progress, one that ends in a newline is news: whoever
relays a stage's output (flows/stage.py) tells them apart by that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import ClassVar, Self, TextIO, TypeVar

Item = TypeVar("Item")
RELAYED = "REFOCUS_PROGRESS_RELAYED"


def relayed_variable() -> dict[str, str]:
    """What a child is given whose words are relayed to this process's terminal: bars live on there."""
    return {RELAYED: "1"} if sys.stderr.isatty() else {}


def is_of_a_terminal(name: str) -> bool:
    """Whether a variable speaks of the terminal of this process's parent, and means nothing elsewhere."""
    return name == RELAYED


class Progress:
    """`with Progress("synthesize", 480, unit="photos") as bar: bar.advance(1)`. `done` may start
    above 0 (a resumed run).
    """

    worked_s: ClassVar[float] = (
        0.0  # of all bars of this process that have ended: a stage's time less its preparations
    )

    def __init__(
        self, title: str, total: int, *, unit: str = "images", done: int = 0, stream: TextIO | None = None
    ) -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, done
        self._first, self._began = done, time.monotonic()
        self._shown = self._last = self._began
        self._stream = stream or sys.stderr
        self._lively = self._stream.isatty() or bool(os.environ.get(RELAYED))
        self._every_s = 0.5 if self._lively else 10.0
        self._finished = False  # a log has its last line already

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Progress.worked_s += self._last - self._began
        if kind is None and not self._finished:
            print(self.line(), file=self._stream, flush=True)

    def begin(self, done: int = 0) -> None:
        """The work starts only now, with so much done by an earlier run: what came before counts
        neither in the speed nor as work.
        """
        self.done = self._first = done
        self._began = self._last = time.monotonic()

    def advance(self, count: int, note: str = "") -> None:
        """Count finished items; shows the line when it is time to."""
        self.done += count
        self._last = now = time.monotonic()
        if now - self._shown >= self._every_s:
            self._shown = now
            self._finished = not self._lively and self.done >= self.total
            print(self.line(note), end="\r" if self._lively else "\n", file=self._stream, flush=True)

    def warn(self, words: str) -> None:
        """Say something beside the bar, on a line of its own."""
        print(f"warning: {self.title}: {words}", file=self._stream, flush=True)

    def line(self, note: str = "") -> str:
        """The bar as text: title, bar, share, count, speed, time left."""
        seconds = max(time.monotonic() - self._began, 1e-6)
        speed = (self.done - self._first) / seconds
        share = self.done / self.total if self.total else 1.0
        left = (
            f"{_clock((self.total - self.done) / speed)} left"
            if speed > 0 and self.done < self.total
            else f"took {_clock(seconds)}"
        )
        bar = "#" * round(24 * share) + "-" * (24 - round(24 * share))
        return (
            f"{self.title:<11}[{bar}] {share:4.0%} {self.done}/{self.total} {self.unit} {speed:.1f}"
            f" {self.unit}/s {left}{'  ' + note if note else ''}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def tracked(items: Iterable[Item], title: str, total: int, unit: str) -> Iterator[Item]:
    """Walk through items behind a progress bar."""
    with Progress(title, total, unit=unit) as bar:
        for item in items:
            yield item
            bar.advance(1)
