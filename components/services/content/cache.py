"""A machine's own copies of what lies in the store, below STATE/cache: one copy for all processes
that work there, of at most REFOCUS_CACHE_GB in all.

Each entry has a lock file whose content is the entry's size and whose time is that of its last use.
Who uses an entry holds that lock shared until its process ends (or `release`), so that it is the
system that frees it, whatever end the process comes to. Room is made by taking away the entries
whose last use lies farthest back, and never one whose lock is held.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.causes import refused
from components.core.errors import InputError
from components.core.files import WHILE_WRITING, make_folder, need_free_space, state_folder
from components.core.locks import locked

LIMIT_VARIABLE = "REFOCUS_CACHE_GB"
LIMIT_GB = 50.0
FOR_EVER = -1.0
Make = Callable[[Path], None]

_held: dict[Path, int] = {}  # lock files of the entries that this process uses
_guard = threading.RLock()


class NoRoomError(InputError):
    """What is in use fills the cache."""


class NodeCache:
    """The copies below one folder.

    folder: STATE/cache when left out; limit_bytes: of all entries together, REFOCUS_CACHE_GB when
    left out. Raises InputError when that is no number above 0.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self.folder = folder or state_folder() / "cache"
        self.limit_bytes = _limit() if limit_bytes is None else limit_bytes

    def path(self, key: str) -> Path:
        """Where an entry lies, if it is there."""
        return self.folder / "entries" / key

    def get(self, key: str, plan: Callable[[], tuple[int, Make]]) -> Path:
        """An entry, in use from now on; made when it is not there, by one process while others wait.

        plan: asked only when it has to be made, gives the bytes it takes at most meanwhile, and what
        writes it (a file or a folder) at a path. Raises NoRoomError when it does not fit beside what
        is in use.
        """
        path = self.path(key)
        self._hold(key)
        if path.exists():
            self._used(key)
            return path
        try:
            with locked(self._lock(f"{key}.making"), patience_s=FOR_EVER):
                if not path.exists():
                    self._make(key, *plan())
        except BaseException:
            self.release(key)
            raise
        self._used(key)
        return path

    def release(self, key: str) -> None:
        """This process no longer uses an entry."""
        with _guard:
            handle = _held.pop(self._lock(key), None)
            if handle is not None:
                os.close(handle)

    def bytes_used(self) -> int:
        """Of all entries, and of what is being made."""
        return sum(size for _, _, size in self._entries())

    def room(self) -> int:
        """Bytes that could be had without taking away what is in use."""
        return self.limit_bytes - sum(size for key, _, size in self._entries() if self._in_use(key))

    def _make(self, key: str, size: int, make: Make) -> None:
        path, partial = self.path(key), self._partial(key)
        make_folder(path.parent)
        _remove(partial)
        with locked(self._lock("room"), patience_s=FOR_EVER):
            self._make_room(key, size)
            self._note(key, size)
        try:
            need_free_space(self.folder, size / 1e6, "the cache of the store's data")
            make(partial)
            partial.replace(path)
            self._note(key, _bytes_of(path))
        except OSError as error:
            self._forget(key)
            if error.errno in WHILE_WRITING:
                doing = f"{path} could not be written"
                raise refused(error, doing, place=path.parent, what=path.name) or error from error
            raise
        except BaseException:
            self._forget(key)
            raise

    def _make_room(self, key: str, size: int) -> None:
        others = sorted((entry for entry in self._entries() if entry[0] != key), key=lambda entry: entry[1])
        used = sum(each for _, _, each in others)
        for other, _, each in others:
            if used + size <= self.limit_bytes:
                return
            if self._evict(other):
                used -= each
        if used + size > self.limit_bytes:
            raise NoRoomError(
                f"{size / 1e9:.3g} GB from the store do not fit into the cache {self.folder}:"
                f" {used / 1e9:.3g} GB there are in use, and it may have {self.limit_bytes / 1e9:.3g} GB;"
                f" raise {LIMIT_VARIABLE}, or wait until other work on this machine is done"
            )

    def _evict(self, key: str) -> bool:
        """Take an entry away, unless somebody uses it."""
        with self._alone(key) as free:
            if free:
                self._forget(key)
        return free

    def _in_use(self, key: str) -> bool:
        with self._alone(key) as free:
            return not free

    @contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Whether nobody uses an entry, and nobody begins to within the block."""
        handle = _opened(self._lock(key))
        try:
            yield _taken(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(handle)

    def _hold(self, key: str) -> None:
        lock = self._lock(key)
        with _guard:
            if lock in _held:
                return
            make_folder(lock.parent)
            handle = _opened(lock)
            _taken(handle, fcntl.LOCK_SH)
            _held[lock] = handle

    def _used(self, key: str) -> None:
        os.utime(self._lock(key))

    def _note(self, key: str, size: int) -> None:
        handle = _opened(self._lock(key))
        try:
            os.pwrite(handle, f"{size:020d}".encode(), 0)  # one write, never a file cut to nothing
        finally:
            os.close(handle)

    def _forget(self, key: str) -> None:
        _remove(self._partial(key))
        _remove(self.path(key))
        self._note(key, 0)

    def _entries(self) -> list[tuple[str, float, int]]:
        """Key, time of the last use, bytes."""
        found = []
        for lock in (self.folder / "locks").glob("*.use"):
            text = lock.read_text()
            if text.isdecimal() and int(text):
                found.append((lock.name.removesuffix(".use"), lock.stat().st_mtime, int(text)))
        return found

    def _lock(self, key: str) -> Path:
        return self.folder / "locks" / (key if key.endswith(".making") or key == "room" else f"{key}.use")

    def _partial(self, key: str) -> Path:
        return self.folder / "entries" / f"{key}.partial"


def _opened(lock: Path) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _taken(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True


def _limit() -> int:
    text = os.environ.get(LIMIT_VARIABLE) or str(LIMIT_GB)
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < float("inf"):
        raise InputError(
            f"{LIMIT_VARIABLE} is {text!r}; it must be a number of gigabytes above 0, such as {LIMIT_GB:g}:"
            " how much of the store's data this machine keeps"
        )
    return int(gigabytes * 1e9)


def _bytes_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
