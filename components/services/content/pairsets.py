"""Sets of pairs by content: what a machine that has no part of them needs to train or measure."""

from __future__ import annotations

from pathlib import Path

from components.core.errors import LineageError
from components.core.records import Pair, PairSet, SourcePhoto, Split
from components.services.content.packing import Index, files_below
from components.services.content.reader import FolderReader, Reader, ShardReader
from components.services.content.store import ContentStore

MANIFEST = "shards.jsonl"  # beside a set's record: its pictures lie in the store
_readers: dict[tuple[object, ...], ShardReader] = {}
RECORDS = (PairSet.FILE, PairSet.TABLE, PairSet.SOURCES, MANIFEST)


def send_pairs(store: ContentStore, pairset: PairSet) -> str:
    """Put a set of pairs into the store, unless it is there; gives the digest it lies under."""
    if not store.has_folder(pairset.digest):
        index = store.packed(pairset.folder, files_below(pairset.folder))
        if not (pairset.folder / MANIFEST).is_file():
            _need_named(pairset, index)
        store.send_index(index, pairset.digest)
    return pairset.digest


def verify_pairs(pairset: PairSet, *splits: Split) -> None:
    """Look at a set's pictures again: hash every one of the splits, or, where they lie in the store,
    ask it for every shard. Raises LineageError when one is missing or altered.
    """
    reader = reader_of(pairset)
    if isinstance(reader, ShardReader):
        reader.verify()
    else:
        pairset.verify(*splits)


def fetch_pairs(store: ContentStore, digest: str) -> tuple[PairSet, Reader]:
    """A set of pairs from the store: its record and tables on this machine, and its pictures by
    name. Raises LineageError when it is not there, or is another.
    """
    folder = store.fetch_some(digest, RECORDS, "records")
    pairset = PairSet.load(folder)
    if pairset.digest != digest:
        raise LineageError(
            f"under the digest {digest[:12]}… the store has the PairSet {pairset.digest[:12]}…; delete"
            f" sets/{digest} there and run again"
        )
    manifest = folder / MANIFEST
    index = _manifest(manifest) if manifest.is_file() else store.index(digest)
    _need_named(pairset, index)
    return pairset, ShardReader(store, index)


def shard_problems(pairset: PairSet) -> list[str]:
    """Read every shard of a set whose pictures lie in the store; gives what is wrong, in words. Nothing
    for a set of files.
    """
    manifest = pairset.folder / MANIFEST
    if not manifest.is_file():
        return []
    store = ContentStore.needed("the set's pictures lie in shards in a store")
    index = _manifest(manifest)
    _need_named(pairset, index)
    return list(store.problems(index, read=True))


def reader_of(pairset: PairSet) -> Reader:
    """A set's pictures by name, from its folder, or from the store where only their list lies here.
    Raises InputError when it needs the store and none is named.
    """
    manifest = pairset.folder / MANIFEST
    if not manifest.is_file():
        return FolderReader(pairset.folder)
    store = ContentStore.needed(f"the pictures of {pairset.folder} lie in shards in a store")
    key = (manifest, manifest.stat().st_mtime_ns, pairset.digest, store.uri, store.cache.folder)
    if key not in _readers:
        index = _manifest(manifest)
        _need_named(pairset, index)
        _readers.clear()  # of one set at a time
        _readers[key] = ShardReader(store, index)
    return _readers[key]


def _need_named(pairset: PairSet, index: Index) -> None:
    """Raises LineageError where the shards hold other pictures than the set's rows name."""
    packed = {file.name: file.sha256 for file in index.files}
    rows: tuple[Pair | SourcePhoto, ...] = (*pairset.pairs(), *pairset.source_photos())
    for name, sha256 in ((name, sha256) for row in rows for name, sha256 in row.files.items()):
        if packed.get(name) != sha256:
            raise LineageError(
                f"the shards of PairSet {pairset.digest[:12]}…"
                f" {'hold another' if name in packed else 'lack'} {name}, which its rows name with SHA-256"
                f" {sha256[:12]}…; run synthesize again"
            )


def _manifest(path: Path) -> Index:
    return Index.of_bytes(path.read_bytes(), str(path))
