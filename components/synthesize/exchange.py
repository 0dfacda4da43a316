"""Sets of pairs in a bucket: `refocus send-pairs RECIPE s3://BUCKET/PREFIX`, and `refocus
fetch-pairs s3://BUCKET/PREFIX --out DIR`.

A set lies there as it lies in its folder. The record is sent last and read first: a prefix without
one holds no set. What is there or here already, by its SHA-256, does not travel again, so either
command is simply given again after an interruption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from components.core.errors import LineageError
from components.core.files import sha256_of_file
from components.core.progress import tracked
from components.core.records import Pair, PairSet, SourcePhoto
from components.services import storage

AT_ONCE = 8  # files on their way


def send(pairset: PairSet, uri: str) -> str:
    """Copy a set of pairs below an address in a bucket; what else lies there stays. Gives a
    sentence on what was done.

    Raises LineageError when a picture is missing or is not the one its row names, ServiceError when
    the bucket does not answer.
    """
    storage.split_uri(uri)
    files = _files(pairset)
    record = storage.join(uri, PairSet.FILE)
    if storage.sha256_told(record) != pairset.digest:
        storage.remove(record)

    def one(name: str) -> None:
        address = storage.join(uri, name)
        if storage.sha256_told(address) != files[name]:
            storage.put(_intact(pairset.folder / name, files[name]), address, sha256=files[name])

    _each(one, files, "send")
    for name, sha256 in pairset.tables.items():
        storage.put(_intact(pairset.folder / name, sha256), storage.join(uri, name), sha256=sha256)
    storage.put(pairset.folder / PairSet.FILE, record, sha256=pairset.digest)
    return f"{sum(pairset.counts.values())} pairs, PairSet {pairset.digest[:12]}, are at {uri}"


def fetch(uri: str, out: Path) -> str:
    """Copy a set of pairs from a bucket to a folder, and check every byte against the digests of
    its record. Gives a sentence on what was done.

    Raises LineageError when something there is not what the set's record and rows name;
    ServiceError when no set lies there.
    """
    for name in (PairSet.FILE, PairSet.TABLE, PairSet.SOURCES):
        (out / name).unlink(missing_ok=True)
    incoming = out / ".incoming"
    storage.download(storage.join(uri, PairSet.FILE), incoming / PairSet.FILE)
    pairset = PairSet.load(incoming)
    for name in pairset.tables:
        storage.download(storage.join(uri, name), incoming / name)
    files = _files(pairset)

    def one(name: str) -> None:
        path = out / name
        if not (path.is_file() and sha256_of_file(path) == files[name]):
            storage.download(storage.join(uri, name), path)
            _intact(path, files[name])

    _each(one, files, "fetch")
    for name in (*pairset.tables, PairSet.FILE):
        (incoming / name).replace(out / name)
    incoming.rmdir()
    return f"{sum(pairset.counts.values())} pairs, PairSet {pairset.digest[:12]}, are in {out}"


def _files(pairset: PairSet) -> dict[str, str]:
    """Every picture of a set and its SHA-256."""
    rows: tuple[Pair | SourcePhoto, ...] = (*pairset.pairs(), *pairset.source_photos())
    return {name: sha256 for row in rows for name, sha256 in row.files.items()}


def _intact(path: Path, sha256: str) -> Path:
    if not path.is_file() or sha256_of_file(path) != sha256:
        raise LineageError(
            f"{path} is missing or was altered: its SHA-256 is not the {sha256[:12]}… that its row names;"
            " make the set again, or send it again"
        )
    return path


def _each(work: Callable[[str], None], names: Iterable[str], title: str) -> None:
    """Do a thing for every name, some at once; the first error ends it."""
    names = list(names)
    for _ in tracked(_finished(work, names), title, len(names), "pictures"):
        pass


def _finished(work: Callable[[str], None], names: Iterable[str]) -> Iterator[None]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: set[Future[None]] = set()
        for name in names:
            running.add(pool.submit(work, name))
            if len(running) >= 2 * AT_ONCE:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        for each in running:
            yield each.result()
