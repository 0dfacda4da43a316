"""Lock files: held for a block, and told in words when they cannot be had (left by root, on a
read-only disk, on a share without locks).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from components.core.causes import cause_of, told
from components.core.errors import BusyError


@contextmanager
def locked(path: Path, *, patience_s: float, busy: str = "") -> Iterator[None]:
    """Hold a lock file for as long as the block lasts.

    patience_s: how long another holder is waited for; busy: what to say when it stays, a plain
    sentence when left out.
    Raises BusyError, and InputError when the lock cannot be had at all, with whose it is.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience_s)
    except Timeout:
        raise BusyError(
            busy
            or f"another process is at work (it holds {path}); wait for it and run the same command again"
        ) from None
    except (OSError, NotImplementedError) as error:
        cause = cause_of(error)
        if cause is None:
            raise
        raise told(cause, place=path, doing="the lock file cannot be had") from error
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether another process holds a lock file now. Raises as `locked` does."""
    try:
        with locked(path, patience_s=0):
            return False
    except BusyError:
        return True
