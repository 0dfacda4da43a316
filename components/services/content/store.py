"""The team's object store: folders and files under their content's digest, sent once, fetched once
a machine.

Below REFOCUS_STORE=s3://BUCKET/PREFIX:

    files/SHA256      one file
    shards/SHA256     an archive of many (packing.py)
    sets/DIGEST       the index of a folder: put there last, so that a set is whole or absent
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.errors import InputError, LineageError
from components.core.files import make_folder, sha256_of_bytes, sha256_of_file
from components.core.temporaries import new_temporary, sweep
from components.services import storage
from components.services.content.cache import Make, NodeCache
from components.services.content.packing import (
    LISTED,
    SHARD_BYTES,
    Index,
    PackedFile,
    ShardWriter,
    files_below,
    packed,
)

STORE_VARIABLE = "REFOCUS_STORE"
RENEWED_S = 86_400.0  # what is used again is made young at most once a day
_DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,127}")


class ContentStore:
    """Data by content at an address in a bucket, and this machine's copies of it."""

    def __init__(self, uri: str, cache: NodeCache | None = None) -> None:
        """uri: s3://BUCKET/PREFIX; cache: that of this machine's state folder when left out. Raises
        InputError when the address is none.
        """
        storage.split_uri(uri)
        self.uri = uri
        self.cache = cache or NodeCache()

    @classmethod
    def of_environment(cls) -> ContentStore | None:
        """The store that REFOCUS_STORE names; None when it is not set."""
        uri = os.environ.get(STORE_VARIABLE)
        return cls(uri) if uri else None

    @classmethod
    def needed(cls, why: str) -> ContentStore:
        """The same. Raises InputError when it is not set; why: what it is needed for, in words."""
        store = cls.of_environment()
        if store is None:
            raise InputError(
                f"{why}: set {STORE_VARIABLE}=s3://BUCKET/PREFIX, a store that all machines reach, and the"
                " AWS_ variables for it"
            )
        return store

    def has_folder(self, digest: str) -> bool:
        """Whether a whole set lies under that digest; one that is asked for stays (`refocus clean`)."""
        return storage.renew(self._address("sets", digest), RENEWED_S)

    def send_folder(
        self,
        folder: Path,
        digest: str,
        *,
        names: Iterable[str] | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        """Put a folder's files under a digest, unless a set lies there already.

        names: which files, in the order in which they are packed; all by name when left out.
        """
        if not self.has_folder(digest):
            names = files_below(folder) if names is None else names
            self.send_index(self.packed(folder, names, shard_bytes=shard_bytes), digest)

    def packed(self, folder: Path, names: Iterable[str], *, shard_bytes: int = SHARD_BYTES) -> Index:
        """Put files into shards in the store, those that are there already left as they are; gives
        their index.
        """
        index = Index(shards=(), files=())
        with self._outgoing() as path:
            for shard in packed(folder, names, path, shard_bytes=shard_bytes):
                self._put_once("shards", shard.shards[0].sha256, path)
                index = index.joined(shard)
        return index

    def send_shard(self, files: Iterable[tuple[str, bytes]]) -> Index:
        """Put files, names with bytes, into one shard in the store; gives its index, which has no shard
        where there is no file.
        """
        with self._outgoing() as path:
            writer = ShardWriter(path)
            try:
                for name, data in files:
                    writer.add(name, data)
            except BaseException:
                writer.abandon()
                raise
            index = writer.close()
            if not index.files:
                return Index(shards=(), files=())
            self._put_once("shards", index.shards[0].sha256, path)
        return index

    @contextmanager
    def _outgoing(self) -> Iterator[Path]:
        """A file for what is being packed; gone with the block, or swept after a kill."""
        outgoing = self.cache.folder / "outgoing"
        make_folder(outgoing)
        sweep(outgoing, outgoing)
        path = new_temporary(outgoing / "shard.tar")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def send_index(self, index: Index, digest: str) -> None:
        """Make a set of shards that lie in the store already."""
        data = index.to_bytes()
        storage.put(data, self._address("sets", digest), sha256=sha256_of_bytes(data))

    def index(self, digest: str) -> Index:
        """What a set is made of. Raises LineageError when there is no such set, or its index is not
        the one that was put there.
        """
        address = self._address("sets", digest)
        told = storage.sha256_told(address)
        if told is None:
            raise LineageError(
                f"nothing lies at {address}; run the same command again where the data is, with"
                f" {STORE_VARIABLE} naming this store"
            )
        data = storage.read_object(address)
        if sha256_of_bytes(data) != told:
            raise self._altered(address, told)
        return Index.of_bytes(data, address)

    def fetch_folder(self, digest: str) -> Path:
        """A set's files in a folder of this machine's cache, every one checked; in use until this
        process ends.

        Raises LineageError when it is not in the store or is other than its index says, NoRoomError
        when it does not fit into the cache.
        """
        return self.cache.get(f"set-{_plain(digest)}", lambda: self._folder_plan(self.index(digest)))

    def send_file(self, path: Path) -> str:
        """Put a file under its SHA-256, unless it lies there already; gives that."""
        sha256 = sha256_of_file(path)
        self._put_once("files", sha256, path)
        return sha256

    def fetch_file(self, sha256: str) -> Path:
        """A file in this machine's cache, checked; in use until this process ends. Raises
        LineageError when it is not in the store or is another, NoRoomError when it does not fit.
        """
        return self._fetch("files", sha256)

    def fetch_shard(self, sha256: str) -> Path:
        """A shard, as `fetch_file` gives a file."""
        return self._fetch("shards", sha256)

    def shard_here(self, sha256: str) -> Path:
        """Where a shard lies on this machine, if it does."""
        return self.cache.path(f"shards-{sha256}")

    def fetch_listed(self, digest: str) -> Path:
        """A set's folder without its folders: the files at its top, and the list of where all others lie,
        by which `reader_in` reads them. Raises as `fetch_folder` does.
        """

        def plan() -> tuple[int, Make]:
            index = self.index(digest)
            listed = index.to_bytes()
            files = [file for file in index.files if "/" not in file.name]

            def make(folder: Path) -> None:
                make_folder(folder)
                (folder / LISTED).write_bytes(listed)
                for file in files:
                    self._write(folder, file, self.read_packed(index, file))

            return len(listed) + sum(file.size for file in files), make

        return self.cache.get(f"listed-{_plain(digest)}", plan)

    def read_packed(self, index: Index, file: PackedFile) -> bytes:
        """One file of a set straight from the store, and no more than its own bytes; checked. Raises
        LineageError when it is another.
        """
        address = self._address("shards", index.shards[file.shard].sha256)
        data = storage.read_range(address, file.offset, file.size) if file.size else b""
        if sha256_of_bytes(data) != file.sha256:
            raise self._altered(f"{file.name} in {address}", file.sha256)
        return data

    def problems(self, index: Index, *, read: bool = False) -> Iterator[str]:
        """Which shards the store lacks, or has others of by what was told of them, in words.

        read: read every shard, and go by its bytes.
        """
        for shard in index.shards:
            address = self._address("shards", shard.sha256)
            facts = storage.facts_of(address)
            if facts is None:
                yield f"{address} is not in the store; run the stage that makes the set again"
            elif facts != (shard.size, shard.sha256) or (
                read and storage.sha256_of_object(address) != shard.sha256
            ):
                yield (
                    f"{address} was altered: it is not the shard of {shard.size} bytes that the index names;"
                    " delete it and run the stage that makes the set again"
                )

    def _fetch(self, kind: str, sha256: str) -> Path:
        address = self._address(kind, sha256)
        return self.cache.get(
            f"{kind}-{sha256}",
            lambda: (self._size(address), lambda path: self._download(address, sha256, path)),
        )

    def _folder_plan(self, index: Index) -> tuple[int, Make]:
        largest = max((shard.size for shard in index.shards), default=0)
        size = sum(file.size for file in index.files) + largest
        return size, lambda folder: self._unpack(index, folder)

    def _size(self, address: str) -> int:
        facts = storage.facts_of(address)
        if facts is None:
            raise LineageError(
                f"{address} is not in the store; run the same command again where the data is, or bring the"
                " object back"
            )
        return facts[0]

    def _download(self, address: str, sha256: str, path: Path) -> None:
        storage.download_into(address, path)
        if sha256_of_file(path) != sha256:
            raise self._altered(address, sha256)

    def _unpack(self, index: Index, folder: Path) -> None:
        """Each shard in its turn, and each file out of it."""
        make_folder(folder)
        archive = folder / ".shard"
        by_shard: dict[int, list[PackedFile]] = {}
        for file in index.files:
            by_shard.setdefault(file.shard, []).append(file)
        try:
            for number, files in by_shard.items():
                shard = index.shards[number].sha256
                self._download(self._address("shards", shard), shard, archive)
                with archive.open("rb") as stream:
                    for file in files:
                        stream.seek(file.offset)
                        self._write(folder, file, stream.read(file.size))
        finally:
            archive.unlink(missing_ok=True)

    def _write(self, folder: Path, file: PackedFile, data: bytes) -> None:
        path = folder / file.name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise LineageError(f"{file.name!r} in the store's index lies outside of its folder")
        if sha256_of_bytes(data) != file.sha256:
            raise self._altered(file.name, file.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _put_once(self, kind: str, sha256: str, path: Path) -> None:
        address = self._address(kind, sha256)
        if not storage.renew(address, RENEWED_S, sha256):
            storage.put(path, address, sha256=sha256)

    def _address(self, kind: str, name: str) -> str:
        return storage.join(self.uri, f"{kind}/{_plain(name)}")

    def _altered(self, what: str, sha256: str) -> LineageError:
        return LineageError(
            f"{what} was altered: its SHA-256 is not {sha256[:12]}…; delete it from the store and run the"
            " same command again where the data is"
        )


def _plain(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"{digest!r} is no digest; 8 to 128 letters, digits, - and _ are")
    return digest
