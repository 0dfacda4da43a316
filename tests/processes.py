"""Whether processes have ended: one that only waits to be read by its parent has, and one may end
while it is being asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def ends(processes: Iterable[psutil.Process], seconds: float = 120) -> bool:
    """All of them end within that time."""
    return wait_for(lambda: not any(_lives(process) for process in processes), seconds)


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
