"""Sets of pairs in a bucket: `refocus send-pairs RECIPE s3://BUCKET/PREFIX`, and `refocus
fetch-pairs s3://BUCKET/PREFIX --out DIR`.

A set lies there as it lies in its folder. What is there or here and was made by neither command is
not replaced, unless `--overwrite` is said: objects that carry no digest of ours, and files that no
record there names. The record is sent last and read first: a prefix without
one holds no set. What is there or here already, by its SHA-256, does not travel again, so either
command is simply given again after an interruption.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from components.core.delivery import Delivery, delivering
from components.core.errors import InputError, LineageError, RefocusError
from components.core.files import sha256_of_bytes, sha256_of_file
from components.core.progress import tracked
from components.core.records import PairSet
from components.services import storage
from components.services.content import FolderReader, reader_of

AT_ONCE = 8  # files on their way
NAMED = 5
OF_ONE_FILE = (LineageError, storage.ObjectError)  # errors that say nothing of the other files


def send(pairset: PairSet, uri: str, *, overwrite: bool = False) -> str:
    """Copy a set of pairs below an address in a bucket; what else lies there stays. Gives a
    sentence on what was done.

    overwrite: objects that this command did not put there may be replaced.
    Raises InputError when there are such, LineageError when a picture is missing or is not the one
    its row names, ServiceError when the bucket does not answer.
    """
    storage.split_uri(uri)
    files = _files(pairset)
    if not overwrite:
        _refuse_others(uri, files | pairset.tables | {PairSet.FILE: sha256_of_file(_record(pairset))})
    record, reader = storage.join(uri, PairSet.FILE), reader_of(pairset)
    if storage.sha256_told(record) != pairset.digest:
        own = pairset.tables | (files if isinstance(reader, FolderReader) else {})

        def look_at(name: str) -> None:
            _intact(pairset.folder / name, own[name])

        _each(look_at, own, "look at")
        storage.remove(record)  # of another set, once this one is known to be whole

    def one(name: str) -> None:
        address = storage.join(uri, name)
        if storage.sha256_told(address) != files[name]:
            here = isinstance(reader, FolderReader)
            picture = _intact(pairset.folder / name, files[name]) if here else reader.read(name)
            storage.put(picture, address, sha256=files[name])

    _each(one, files, "send")
    for name, sha256 in pairset.tables.items():
        storage.put(_intact(pairset.folder / name, sha256), storage.join(uri, name), sha256=sha256)
    storage.put(_record(pairset), record, sha256=pairset.digest)
    return f"{sum(pairset.counts.values())} pairs, PairSet {pairset.digest[:12]}, are at {uri}"


def fetch(uri: str, out: Path, *, overwrite: bool = False) -> str:
    """Copy a set of pairs from a bucket to a folder, and check every byte against the digests of
    its record. Gives a sentence on what was done.

    overwrite: files in `out` that are of no set may be replaced.
    Raises InputError when there are such; LineageError when something at the bucket is not what the
    set's record and rows name; ServiceError when no set lies there.
    """
    with tempfile.TemporaryDirectory(prefix="refocus-fetch-") as aside:
        record = Path(aside)
        storage.download(storage.join(uri, PairSet.FILE), record / PairSet.FILE)
        pairset = PairSet.load(record)
        for name in pairset.tables:
            storage.download(storage.join(uri, name), record / name)
        files = _files(pairset)
        wanted = files | pairset.tables | {PairSet.FILE: sha256_of_file(record / PairSet.FILE)}
        with delivering(out):
            delivery = Delivery(out, overwrite=overwrite, known=_known(out, wanted))
            delivery.refuse_others(wanted)
            # A folder without its record is unfinished: the old record goes first, the new one comes last.
            for name in (PairSet.FILE, *pairset.tables):
                (out / name).unlink(missing_ok=True)

            def one(name: str) -> None:
                path = out / name
                if not (path.is_file() and sha256_of_file(path) == files[name]):
                    with delivery.incoming(name) as temporary:
                        storage.download_into(storage.join(uri, name), temporary)
                        _intact(temporary, files[name], path)

            _each(one, files, "fetch")
            for name in (*pairset.tables, PairSet.FILE):
                with delivery.incoming(name) as temporary:
                    shutil.copyfile(record / name, temporary)
    return f"{sum(pairset.counts.values())} pairs, PairSet {pairset.digest[:12]}, are in {out}"


def _record(pairset: PairSet) -> Path:
    return pairset.folder / PairSet.FILE


def _refuse_others(uri: str, wanted: Mapping[str, str]) -> None:
    """Raises InputError when an object of one of the names carries no digest of ours and is not
    the same to the byte.
    """
    there = {name for name, _ in storage.list_objects(uri)}
    others: list[str] = []

    def one(name: str) -> None:
        address = storage.join(uri, name)
        if (
            storage.sha256_told(address) is None
            and sha256_of_bytes(storage.read_object(address)) != wanted[name]
        ):
            others.append(address)

    _each(one, sorted(there & wanted.keys()), "look")
    if others:
        shown = ", ".join(sorted(others)[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise InputError(
            f"{shown}{more} would be replaced, and {'was' if len(others) == 1 else 'were'} not put there by"
            " send-pairs; choose another prefix, or say --overwrite to replace"
            f" {'it' if len(others) == 1 else 'them'}"
        )


def _known(out: Path, wanted: Mapping[str, str]) -> dict[str, set[str]]:
    """What may be replaced in a folder: what the set that lies there names, and what is the same."""
    known = {name: {sha256} for name, sha256 in wanted.items()}
    try:
        old = PairSet.load(out)
        listed = _files(old) | old.tables | {PairSet.FILE: sha256_of_file(_record(old))}
    except LineageError:
        return known
    for name, sha256 in listed.items():
        known.setdefault(name, set()).add(sha256)
    return known


def _files(pairset: PairSet) -> dict[str, str]:
    """Every picture of a set and its SHA-256."""
    rows = pairset.pictures()
    return {name: sha256 for row in rows for name, sha256 in row.files.items()}


def _intact(path: Path, sha256: str, called: Path | None = None) -> Path:
    if not path.is_file() or sha256_of_file(path) != sha256:
        raise LineageError(
            f"{called or path} is missing or was altered: its SHA-256 is not the {sha256[:12]}… that its row"
            " names; make the set again, or send it again"
        )
    return path


def _each(work: Callable[[str], None], names: Iterable[str], title: str) -> None:
    """Do a thing for every name, some at once. One that fails stops no other, and all of them are
    named in the end; where several in a row fail for the store's sake, it is over at once.
    """
    names = list(names)
    failed: list[RefocusError] = []
    for error in tracked(_finished(work, names), title, len(names), "pictures"):
        if error is not None:
            failed.append(error)
            if not isinstance(error, OF_ONE_FILE):
                raise error
    if failed:
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        words = "; ".join(str(error) for error in failed[:NAMED])
        raise type(failed[0])(f"{words}{more}")


def _finished(work: Callable[[str], None], names: Iterable[str]) -> Iterator[RefocusError | None]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: set[Future[None]] = set()
        try:
            for name in names:
                running.add(pool.submit(work, name))
                if len(running) >= 2 * AT_ONCE:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from map(_error_of, done)
            yield from map(_error_of, running)
        finally:
            for each in running:
                each.cancel()


def _error_of(done: Future[None]) -> RefocusError | None:
    """What went wrong with one file; anything that nobody foresaw is raised."""
    try:
        done.result()
    except RefocusError as error:
        return error
    return None
