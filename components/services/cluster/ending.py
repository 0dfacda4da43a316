"""How a signal to the process that waits for workers ends their training in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from components.core import stopping

PATIENCE_S = 14.0  # for the workers' step and its state; after that a process has to end Ray as well
LOOK_S = 0.2


@contextmanager
def ended_in_order(ray: Any, mail: Any, abort: Callable[[], None]) -> Iterator[None]:
    """For the length of a block that waits for workers, the first signal asks them by the mail actor to
    keep their state and end. What it stands for is raised when they have.

    abort: ends the block: when the work has not begun yet, at a second signal, or after PATIENCE_S.
    """
    over = threading.Event()
    with stopping.deferred() as ending:

        def see_to_it() -> None:
            while not ending.asked:
                if over.wait(LOOK_S):
                    return
            until, working = time.monotonic() + PATIENCE_S, True
            while working and time.monotonic() < until and not stopping.hurry.is_set():
                with suppress(ray.exceptions.RayError):  # again: the actor may begin anew on another node
                    working = ray.get(mail.ask_for_the_end.remote(), timeout=1)
                if over.wait(LOOK_S):
                    return
            while not over.wait(LOOK_S):
                abort()

        thread = threading.Thread(target=see_to_it, daemon=True)
        thread.start()
        try:
            yield
        except Exception:
            ending.leave()
            raise
        finally:
            over.set()
            thread.join(timeout=5)
