"""A set's files by name, wherever they lie: in a folder, or in shards in the store.

Shards are kept whole on this machine as far as its cache has room; a file of any other is had alone,
by its place, and its SHA-256 compared. A training takes the files of a set in random order, a new
one each time through: to fetch whole shards for that would bring each one as often as files are
asked of it, and to let the last used ones stay would lose each before it is asked for again. So the
same shards stay as long as a process trains with them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from components.core.errors import LineageError, PhotoError
from components.core.files import sha256_of_bytes
from components.services.content.cache import NoRoomError
from components.services.content.packing import LISTED, MANIFEST, Index, PackedFile
from components.services.content.store import ContentStore

_readers: dict[tuple[object, ...], ShardReader] = {}
AT_ONCE = 8  # files on their way
KEPT = 0.9  # of the cache at most is a set's that does not fit: weights and other sets need some


class Reader(Protocol):
    """A set's files by name."""

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        ...

    def place(self, name: str) -> str:
        """Where a file lies, for people."""
        ...

    def expect(self, names: Iterable[str]) -> None:
        """These are read next: bring them near, if that is worth anything."""
        ...

    def keep(self, names: Iterable[str]) -> None:
        """These are read again and again: keep them on this machine, as far as there is room."""
        ...


class FolderReader:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises PhotoError when it cannot be read."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise PhotoError(
                f"{path} cannot be read: {error.strerror}; run the stage that makes it again"
            ) from error

    def place(self, name: str) -> str:
        """Its path."""
        return str(self.folder / name)

    def expect(self, names: Iterable[str]) -> None:
        """They lie here."""

    def keep(self, names: Iterable[str]) -> None:
        """They lie here."""


def reader_in(folder: Path, what: str) -> Reader:
    """The files that belong to a folder by name: of the folder, or of the store where only their list
    lies in it. what: they are, for people. Raises InputError when there is no store and one is needed.
    """
    manifest = next((folder / name for name in (MANIFEST, LISTED) if (folder / name).is_file()), None)
    if manifest is None:
        return FolderReader(folder)
    store = ContentStore.needed(f"the {what} of {folder} lie in shards in the team's store")
    key = (manifest, manifest.stat().st_mtime_ns, store.uri, store.cache.folder)
    if key not in _readers:
        index = Index.of_bytes(manifest.read_bytes(), str(manifest))
        _readers.clear()  # of one set at a time
        _readers[key] = ShardReader(store, index)
    return _readers[key]


class ShardReader:
    """Files in shards. It travels to other processes of this machine, which share what is kept."""

    def __init__(self, store: ContentStore, index: Index) -> None:
        self._store, self.index = store, index
        self._files = {file.name: file for file in index.files}
        self.matches: str | None = None  # digest of the record whose rows name these very files
        self._begin()

    def _begin(self) -> None:
        self._kept: dict[int, int] = {}  # shard to the open file
        self._intact: set[str] = set()
        self._coming: dict[str, Future[bytes]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._guard = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("_store", "index", "_files", "matches")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __del__(self) -> None:
        for handle in self.__dict__.get("_kept", {}).values():
            os.close(handle)

    def keep(self, names: Iterable[str], *, wait: bool = False) -> None:
        """Keep the shards of some files on this machine, as many as its cache has room for; in use
        from now on. All of them before this returns where all fit, else while others work.

        wait: return only when it is done, in any case.
        """
        numbers = sorted({self._file(name).shard for name in names})
        wanted = sum(self.index.shards[number].size for number in numbers)
        cache = self._store.cache
        if wanted <= cache.room():
            self._keep(numbers, wanted)
        elif wait:
            self._keep(numbers, int(KEPT * cache.room()))
        else:
            room = int(KEPT * cache.room())
            threading.Thread(target=self._keep, args=(numbers, room), daemon=True).start()

    def _keep(self, numbers: Iterable[int], room: int) -> None:
        for number in numbers:
            shard = self.index.shards[number]
            if shard.size > room:
                return
            room -= shard.size
            try:
                self._store.fetch_shard(shard.sha256)
            except NoRoomError:
                return

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises LineageError when there is none or it is another, ServiceError when
        the store does not answer.
        """
        with self._guard:
            coming = self._coming.pop(name, None)
        return coming.result() if coming is not None else self._read(self._file(name))

    def place(self, name: str) -> str:
        """Its name in the store."""
        return f"{name} in a shard at {self._store.uri}"

    def expect(self, names: Iterable[str]) -> None:
        """Bring the files that are not kept here, some at once."""
        for name in names:
            file = self._file(name)
            if self._local(file.shard) is not None:
                continue
            with self._guard:
                if name not in self._coming:
                    self._pool = self._pool or ThreadPoolExecutor(AT_ONCE)
                    self._coming[name] = self._pool.submit(self._read, file)

    def verify(self) -> None:
        """Ask the store for every shard. Raises LineageError when one is missing, or is another."""
        for problem in self._store.problems(self.index):
            raise LineageError(problem)

    def problems(self) -> list[str]:
        """Read every shard in the store; gives what is wrong, in words."""
        return list(self._store.problems(self.index, read=True))

    def _file(self, name: str) -> PackedFile:
        file = self._files.get(name)
        if file is None:
            raise LineageError(
                f"{name} is in none of the set's shards; run the stage that makes the set again"
            )
        return file

    def _read(self, file: PackedFile) -> bytes:
        handle = self._local(file.shard)
        if handle is None:
            return self._store.read_packed(self.index, file)
        data = os.pread(handle, file.size, file.offset)
        if file.name in self._intact:
            return data
        if sha256_of_bytes(data) != file.sha256:
            place = self._store.shard_here(self.index.shards[file.shard].sha256)
            raise LineageError(f"{file.name} in {place} was altered; delete that file and run again")
        self._intact.add(file.name)  # the shard as it lies here; hashing takes as long as reading
        return data

    def _local(self, number: int) -> int | None:
        """The shard's open file, where it is kept on this machine."""
        with self._guard:
            handle = self._kept.get(number)
            if handle is None:
                try:
                    place = self._store.shard_here(self.index.shards[number].sha256)
                    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    return None
                self._kept[number] = handle
            return handle
