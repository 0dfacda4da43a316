"""Sets of pairs by content: what a machine that has no part of them needs to train or measure."""

from __future__ import annotations

from collections.abc import Iterator

from components.core.errors import LineageError
from components.core.images import Pixels, rgb_of
from components.core.records import PairSet, Split
from components.services.content.packing import MANIFEST, Index, files_below
from components.services.content.reader import Reader, ShardReader, reader_in
from components.services.content.store import ContentStore


def send_pairs(store: ContentStore, pairset: PairSet) -> str:
    """Put a set of pairs into the store, unless it is there; gives the digest it lies under."""
    if not store.has_folder(pairset.digest):
        index = store.packed(pairset.folder, files_below(pairset.folder))
        if not (pairset.folder / MANIFEST).is_file():
            _need_named(pairset, index)
        store.send_index(index, pairset.digest)
    return pairset.digest


def fetch_pairs(store: ContentStore, digest: str) -> PairSet:
    """A set of pairs from the store: its record and tables on this machine, its pictures where they
    are, to be read by `reader_of`. Raises LineageError when it is not there, or is another, or its
    pictures are.
    """
    pairset = PairSet.load(store.fetch_listed(digest))
    if pairset.digest != digest:
        raise LineageError(
            f"under the digest {digest[:12]}… the store has the PairSet {pairset.digest[:12]}…; delete"
            f" sets/{digest} there and run again"
        )
    reader_of(pairset)
    return pairset


def reader_of(pairset: PairSet) -> Reader:
    """A set's pictures by name, from its folder, or from the store where only their list lies here.
    Raises InputError when it needs the store and none is named, LineageError where the store has
    other pictures than the set's rows name.
    """
    reader = reader_in(pairset.folder, "pictures")
    if isinstance(reader, ShardReader) and reader.matches != pairset.digest:
        _need_named(pairset, reader.index)
        reader.matches = pairset.digest
    return reader


def training_targets(pairset: PairSet, most: int) -> Iterator[Pixels]:
    """The first so many different targets of the training split by their ids, (H, W, 3), decoded one by one:
    what the set's restored photos should look like.
    """
    rows = pairset.targets("train") or pairset.source_photos() or pairset.pairs("train")
    reader = reader_of(pairset)
    for name in list(dict.fromkeys(row.target for row in rows))[:most]:
        yield rgb_of(reader.read(name), name)


def verify_pairs(pairset: PairSet, *splits: Split) -> None:
    """Look at a set's pictures again: hash every one of the splits, or, where they lie in the store,
    ask it for every shard. Raises LineageError when one is missing or altered.
    """
    reader = reader_of(pairset)
    if isinstance(reader, ShardReader):
        reader.verify()
    else:
        pairset.verify(*splits)


def shard_problems(pairset: PairSet) -> list[str]:
    """Read every shard of a set whose pictures lie in the store; gives what is wrong, in words. Nothing
    for a set of files.
    """
    reader = reader_of(pairset)
    return reader.problems() if isinstance(reader, ShardReader) else []


def _need_named(pairset: PairSet, index: Index) -> None:
    """Raises LineageError where the shards hold other pictures than the set's rows name."""
    packed = {file.name: file.sha256 for file in index.files}
    rows = pairset.pictures()
    for name, sha256 in ((name, sha256) for row in rows for name, sha256 in row.files.items()):
        if packed.get(name) != sha256:
            raise LineageError(
                f"the shards of PairSet {pairset.digest[:12]}…"
                f" {'hold another' if name in packed else 'lack'} {name}, which its rows name with SHA-256"
                f" {sha256[:12]}…; run synthesize again"
            )
