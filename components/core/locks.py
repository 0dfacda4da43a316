"""Locks: files that are held for a block, told in words when they cannot be had (left by root, on a
read-only disk, on a share without locks), and folders that one process at a time writes into.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from components.core.causes import cause_of, told
from components.core.errors import BusyError

# What a file system without locks says; NFS says EBADF, since it locks only what is open for writing.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)


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


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Be the one process that writes into a folder and those in it. It is made if it is not there, and taken
    away again if it is empty at the end. Nothing is put into it for that: the folder itself is locked, those
    of this user that it lies in are locked against being had whole, and the system lets all go with the
    process, however that ends.

    Raises BusyError at once where another process has it, a folder in it or one that it lies in. A share
    without locks lets everybody in.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    with ExitStack() as kept:
        kept.callback(os.close, _handle_of(folder))
        try:
            for above in _own_above(folder):
                kept.callback(os.close, _locked_handle(above, fcntl.LOCK_SH))
            yield
        finally:
            for each in made:
                try:
                    each.rmdir()
                except OSError:  # something lies in it
                    break


def _handle_of(folder: Path, how: int = fcntl.LOCK_EX, *, waits: bool = False) -> int:
    """Of a folder that this process has from now on, for as long as the handle is open: alone, or with
    others that share it.
    """
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = _locked_handle(folder, how, waits=waits)
        except FileNotFoundError:  # taken away by whoever had it, between the two
            continue
        if _is_at(folder, handle):
            return handle
        os.close(handle)  # whoever had it took it away meanwhile, since it was empty


def _locked_handle(folder: Path, how: int, *, waits: bool = False) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, how if waits else how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        where = "into or below" if how == fcntl.LOCK_EX else "into"
        raise BusyError(
            f"another process is writing {where} {folder}; wait for it and run the same command again, or"
            " choose another folder"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            os.close(handle)
            raise
    return handle


class Shared:
    """A folder that several processes use at once, made if it is not there. As long as one of them has it,
    none takes it away; the system lets it go with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle = _handle_of(folder, fcntl.LOCK_SH, waits=True)
        self._let_go = weakref.finalize(self, os.close, self._handle)

    def take_away(self) -> bool:
        """Remove the folder with all in it, if no other process has it; False when one does. It is let go
        either way.
        """
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except OSError as error:
            if error.errno not in (*NO_LOCKS, errno.EWOULDBLOCK):
                raise
            alone = error.errno in NO_LOCKS
        if alone:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._let_go()
        return alone


def _own_above(folder: Path) -> list[Path]:
    """The folders that it lies in which are this user's to read: nobody delivers into /tmp or / as a whole,
    and other programs lock those.
    """
    return [
        above
        for above in folder.resolve().parents
        if above.stat().st_uid == os.getuid() and os.access(above, os.R_OK)
    ]


def _is_at(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether another process holds a lock file now. Raises as `locked` does."""
    try:
        with locked(path, patience_s=0):
            return False
    except BusyError:
        return True
