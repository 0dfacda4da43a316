"""One restoration at a time, and no more waiting than a queue holds: two at once would need twice
the memory and finish no earlier.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFullError(Exception):
    """No place is free; `retry_after_s` says when one likely is."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(
            f"{waiting} restorations are at work or waiting here, and no more may wait; ask again in"
            f" {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class Turns:
    """Places are taken before a body is read, so that what waits is bounded in memory too. Of one
    event loop.
    """

    def __init__(self, queue: int) -> None:
        self.places, self.taken = queue + 1, 0
        self.at_work = False
        self._lock = asyncio.Lock()
        self._usual_s = 1.0  # what a restoration takes: a moving mean

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the queue. Raises QueueFullError."""
        if self.taken >= self.places:
            raise QueueFullError(self.taken, min(60, max(1, math.ceil(self._usual_s))))
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The turn itself, in the order in which it was asked for."""
        async with self._lock:
            begun, self.at_work = time.monotonic(), True
            try:
                yield
            finally:
                self.at_work = False
                self._usual_s += 0.2 * (time.monotonic() - begun - self._usual_s)
