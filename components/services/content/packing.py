"""Files in shards: plain tar archives of a few hundred megabytes, and an index that says in which
shard, where and with which SHA-256 each file lies.

The same files in the same order give the same shards, to the byte, so that a shard is named by its
SHA-256. A file is had from a shard by its place alone, without reading what lies before it.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

from components.core.errors import LineageError
from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.parts import Part, canonical_json

MANIFEST = "shards.jsonl"  # in a set's folder: the list of files that lie in shards, and nowhere else
LISTED = "in_store.jsonl"  # in a part of a folder, fetched: the list of all its files in the store
SHARD_BYTES = 256_000_000
BLOCK = tarfile.BLOCKSIZE


class Shard(Part):
    """One archive, named by its content."""

    sha256: str
    size: int = Field(ge=0, description="bytes")


class PackedFile(Part):
    """Where a file lies: `size` bytes from `offset` on in the shard of that number."""

    name: str = Field(description="relative to the set's folder, with /")
    shard: int = Field(ge=0)
    offset: int = Field(ge=0)
    size: int = Field(ge=0)
    sha256: str


class Index(Part):
    """What a set is made of: its shards, and its files in the order in which they were packed."""

    shards: tuple[Shard, ...]
    files: tuple[PackedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(shard.size for shard in self.shards)

    def to_bytes(self) -> bytes:
        """As JSON Lines: the shards first, then a line a file."""
        head = canonical_json({"shards": [shard.model_dump() for shard in self.shards]})
        return "".join(
            f"{line}\n" for line in (head, *(canonical_json(file.model_dump()) for file in self.files))
        ).encode()

    @classmethod
    def of_bytes(cls, data: bytes, called: str) -> Self:
        """Read it again. Raises LineageError when it is none; called: where it lies, for the words."""
        try:
            head, *lines = data.splitlines()
            index = cls(
                shards=tuple(Shard.model_validate(each) for each in json.loads(head)["shards"]),
                files=tuple(PackedFile.model_validate_json(line) for line in lines),
            )
            if any(file.shard >= len(index.shards) for file in index.files):
                raise KeyError("a file names a shard that is not listed")
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise LineageError(
                f"{called} is no index of shards that this version can read; delete it and run the stage"
                " that makes it again"
            ) from error
        return index

    def only(self, names: Iterable[str]) -> Self:
        """The part of it that some files need. Raises LineageError when it lacks one."""
        known = {file.name: file for file in self.files}
        try:
            files = [known[name] for name in names]
        except KeyError as error:
            raise LineageError(
                f"the store's index lacks {error.args[0]}; delete it there and run the same command again"
            ) from None
        numbers = sorted({file.shard for file in files})
        place = {number: at for at, number in enumerate(numbers)}
        return self.model_copy(
            update={
                "shards": tuple(self.shards[number] for number in numbers),
                "files": tuple(file.model_copy(update={"shard": place[file.shard]}) for file in files),
            }
        )

    def joined(self, other: Index) -> Self:
        """Both sets as one; the other's shards come after these."""
        moved = (file.model_copy(update={"shard": file.shard + len(self.shards)}) for file in other.files)
        return self.model_copy(
            update={"shards": (*self.shards, *other.shards), "files": (*self.files, *moved)}
        )


class ShardWriter:
    """Packs files into one shard at a path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        self._files: list[PackedFile] = []

    @property
    def bytes_written(self) -> int:
        """So far, without the archive's end."""
        return int(self._tar.offset)

    def add(self, name: str, source: Path | bytes) -> None:
        """Pack one file under a name."""
        import io

        info = tarfile.TarInfo(name)  # no owner, no time: the same files give the same archive
        if isinstance(source, bytes):
            info.size, sha256 = len(source), sha256_of_bytes(source)
            self._tar.addfile(info, io.BytesIO(source))
        else:
            info.size, sha256 = source.stat().st_size, sha256_of_file(source)
            with source.open("rb") as stream:
                self._tar.addfile(info, stream)
        padded = -(-info.size // BLOCK) * BLOCK
        self._files.append(
            PackedFile(name=name, shard=0, offset=self.bytes_written - padded, size=info.size, sha256=sha256)
        )

    def close(self) -> Index:
        """End the archive; gives the index of this shard alone."""
        self._tar.close()
        shard = Shard(sha256=sha256_of_file(self._path), size=self._path.stat().st_size)
        return Index(shards=(shard,), files=tuple(self._files))

    def abandon(self) -> None:
        """Close what will not be finished."""
        self._tar.close()


def packed(
    folder: Path, names: Iterable[str], path: Path, *, shard_bytes: int = SHARD_BYTES
) -> Iterator[Index]:
    """Pack files below a folder, in that order, into as many shards as it takes. Each is written to
    `path` over the one before, and its index given: it is to be taken away before the next is asked
    for.
    """
    writer: ShardWriter | None = None
    try:
        for name in names:
            size = (folder / name).stat().st_size
            if writer is not None and writer.bytes_written + size + BLOCK > shard_bytes:
                done, writer = writer, None
                yield done.close()
            writer = writer or ShardWriter(path)
            writer.add(name, folder / name)
        if writer is not None:
            done, writer = writer, None
            yield done.close()
    finally:
        if writer is not None:
            writer.abandon()


def files_below(folder: Path) -> list[str]:
    """Every file below a folder by its name relative to it, none that begins with a dot; in an order
    in which files of one name lie together, as the input and the target of a pair do.
    """
    found: list[str] = []
    for at, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        found += [
            (Path(at) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")
        ]
    return sorted(found, key=lambda name: (name.partition("/")[0], name.rpartition("/")[2], name))
