"""Steps that take turns, each in a process of its own: none has another's memory, caches or threads."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from components.core.memory import keeping_freed

WARM_UPS = 2
Step = Callable[[int], object]


@dataclass(frozen=True)
class Row:
    """make(*arguments) gives the step, in its process. keeps: what it frees, as a training does."""

    make: Callable[..., Step]
    arguments: tuple[Any, ...]
    keeps: bool = True


@dataclass(frozen=True)
class Times:
    """Of each round: seconds of the processor, seconds on the wall, pages that the kernel gave."""

    working: list[float]
    waiting: list[float]
    pages: list[int]


class StepProcess:
    """The other end of a process that does a row's steps when it is told."""

    def __init__(self, row: Row, threads: int | None) -> None:
        self._here, there = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(there, row, threads), daemon=True
        )
        self._process.start()
        there.close()

    def step(self, turn: int) -> tuple[float, float, int]:
        """Seconds of the processor and on the wall of one step, and pages that the kernel gave for it."""
        found: tuple[float, float, int] = self._answer(("step", turn))
        return found

    def ask(self, question: Callable[..., Any], *further: Any) -> Any:
        """What question(step, *further) gives in the process."""
        return self._answer((question, further))

    def _answer(self, question: tuple[Any, Any]) -> Any:
        self._here.send(question)
        try:
            return self._here.recv()
        except EOFError:
            raise SystemExit("a row's process ended; what it said stands above") from None

    def end(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join(10)
        self._process.kill()


def _serve(there: Connection, row: Row, threads: int | None) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)
    with keeping_freed() if row.keeps else nullcontext():
        step = row.make(*row.arguments)
        while True:
            try:
                question, further = there.recv()
            except EOFError:
                return
            if question != "step":
                there.send(question(step, *further))
                continue
            began, worked, had = time.perf_counter(), time.process_time(), _pages()
            step(further)
            there.send((time.process_time() - worked, time.perf_counter() - began, _pages() - had))


def _pages() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@contextmanager
def processes(rows: Mapping[str, Row], threads: int | None) -> Iterator[dict[str, StepProcess]]:
    """A process a row, for as long as the block lasts."""
    made: dict[str, StepProcess] = {}
    try:
        for name, row in rows.items():
            made[name] = StepProcess(row, threads)
        yield made
    finally:
        for process in made.values():
            process.end()


def times(steps: Mapping[str, StepProcess], rounds: int) -> dict[str, Times]:
    """What each takes, A B C A B C; the first WARM_UPS rounds do not count."""
    found = {name: Times([], [], []) for name in steps}
    for turn in range(rounds + WARM_UPS):
        for name, process in steps.items():
            working, waiting, pages = process.step(turn)
            if turn >= WARM_UPS:
                found[name].working.append(working)
                found[name].waiting.append(waiting)
                found[name].pages.append(pages)
    return found
