"""Progress that crosses machines: from the first worker to the bar of the process that started it; and
the other way the wish that the work may end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from components.core.progress import Progress
from components.services.cluster import nodes

LISTENING_S = 0.25
WAITING_S = 30.0  # without a beginning, until it is said what is waited for


class ProgressMail:
    """Carries progress from the first worker to the driver's bar: an actor, so that it works across
    machines.
    """

    def __init__(self) -> None:
        self._count, self._note = 0, ""
        self._begun: int | None = None
        self._warnings: list[str] = []
        self._working = self._end_asked = False

    def begin(self, done: int) -> None:
        """Note that the work starts now, with so much done before."""
        self._begun, self._count, self._working = done, 0, True

    def put(self, count: int, note: str) -> None:
        """Note how many more are done."""
        self._count, self._note, self._working = self._count + count, note or self._note, True

    def warn(self, words: str) -> None:
        """Note a warning."""
        self._warnings.append(words)

    def take(self) -> tuple[int | None, int, str, list[str]]:
        """What came since the last look: a beginning, a count, a note, warnings."""
        taken = self._begun, self._count, self._note, self._warnings
        self._begun, self._count, self._warnings = None, 0, []
        return taken

    def ask_for_the_end(self) -> bool:
        """Note that the work is to end; gives whether it has begun."""
        self._end_asked = True
        return self._working

    def is_end_asked(self) -> bool:
        """Whether the work is to end."""
        return self._end_asked


class MailedProgress:
    """Looks like a Progress to the training loop; sends what it is told to the driver."""

    def __init__(self, mail: Any) -> None:
        self._mail = mail

    def begin(self, done: int = 0) -> None:
        """Send that the work starts now."""
        self._mail.begin.remote(done)

    def advance(self, count: int, note: str = "") -> None:
        """Send and go on; nothing is waited for."""
        self._mail.put.remote(count, note)

    def warn(self, words: str) -> None:
        """Send a warning."""
        self._mail.warn.remote(words)

    @contextmanager
    def listening(self) -> Iterator[Callable[[], bool]]:
        """For the length of a block a thread listens; gives what says whether the work is to end."""
        import ray

        asked, over = threading.Event(), threading.Event()

        def listen() -> None:
            while not asked.is_set() and not over.wait(LISTENING_S):
                with suppress(ray.exceptions.RayError):  # on its way to another node, or gone for good
                    if ray.get(self._mail.is_end_asked.remote()):
                        asked.set()

        threading.Thread(target=listen, daemon=True).start()
        try:
            yield asked.is_set
        finally:
            over.set()


@contextmanager
def mailed_bar(ray: Any, bar: Progress, waiting: Callable[[], str]) -> Iterator[Any]:
    """A mail actor whose content a thread shows on the bar every half second, for the length of a
    block.

    waiting: what is waited for, said now and then until the work begins. A node that goes is told.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Beside the driver, as words are lost with another node; where Ray put it elsewhere all the same, it
    # begins anew on a node that is left.
    beside = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    mail = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=beside)(ProgressMail).remote()
    over = threading.Event()

    def show() -> None:
        last, working, said = False, False, time.monotonic()
        here = {nodes.name_of(node) for node in nodes.alive(ray)}
        while not last:
            last = over.wait(0.5)  # once more after the end: the last warnings may be on their way
            try:
                now = {nodes.name_of(node) for node in nodes.alive(ray)}
                for name in sorted(here - now):
                    bar.warn(f"node {name} has gone; its workers go on elsewhere, from the last state")
                here = now
                begun, count, note, warnings = ray.get(mail.take.remote(), timeout=30)
                if not last and not working and begun is None and time.monotonic() - said > WAITING_S:
                    said = time.monotonic()
                    bar.warn(waiting())
            except ray.exceptions.RayError:  # busy, losing a node, or ending: it comes later, or never
                continue
            if begun is not None:
                working = True
                bar.begin(begun)
            if count:
                bar.advance(count, note)
            for words in warnings:
                bar.warn(words)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield mail
    finally:
        over.set()
        thread.join(timeout=5)
