"""What lies at the source: every file with a photo's extension, by name, with a way to read it;
maps of photos apart. Nothing is opened here, and everything is counted: a folder that cannot be
listed is an error, since what it holds would be missing without a word.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from components.core.errors import PhotoError, ServiceError
from components.core.files import place_of
from components.core.photo_names import FORMAT_OF, composed, extension_of, readable
from components.core.records import SPLITS, Domain, MapKind, Split
from components.ingest import bundled
from components.ingest.config import BUNDLED, ByFolder, IngestConfig
from components.services import storage

MAP_KINDS: tuple[MapKind, ...] = ("mask", "depth")
HIDDEN = "hidden"  # what starts with a dot: a file, or a folder with all that is in it
NO_FILE = "pipes and devices"
MOST_STRAYS = 0.2  # of all; more outside of train, val and test, and the folders mean something else
SILENT_OBJECTS = 3  # so many in a row that do not come: the store is gone, not an object


@dataclass(frozen=True)
class Found:
    """A file that may be a photo."""

    name: str  # relative to the source, with /
    size_bytes: int
    read: Callable[[], bytes]
    at: Path | str = ""  # a file, or an object's s3:// address
    split: Split | None = None  # None: to be decided by content
    origin: str | None = None
    licence: str | None = None
    domain: Domain | None = None  # None: there are no domains
    frames: tuple[Found, ...] = ()  # what follows it, where it is the first of a clip


@dataclass(frozen=True)
class Source:
    """All that was found, in the order of names; what has no photo's extension is only counted."""

    kind: str  # bundled, folder or s3
    found: tuple[Found, ...]
    maps: tuple[Found, ...] = ()  # masks and depth maps, by their names
    ignored: dict[str, int] = field(default_factory=dict)  # extension ("" for none) to files
    passed: dict[str, int] = field(default_factory=dict)  # HIDDEN or NO_FILE to how many
    strays: tuple[tuple[str, str], ...] = ()  # (name, reason) of what cannot be used, by its place or at all
    files: int | None = None  # how many there are, where a file is more or less than one photo
    of_pairs: tuple[Found, ...] = ()  # of a paired test set beside two domains

    @property
    def seen(self) -> int:
        """Everything that was there: what a person would count."""
        if self.files is not None:
            return self.files
        counted = sum(self.ignored.values()) + sum(self.passed.values())
        return len(self.found) + len(self.strays) + len(self.maps) + len(self.of_pairs) + counted


def look(config: IngestConfig, *, out: Path) -> Source:
    """List the source. `out` is never taken for a part of it.

    Raises PhotoError when there is no such folder, or when a photo lies outside train/, val/ and
    test/ and folders decide the split; ServiceError when a bucket does not answer.
    """
    if config.photos == BUNDLED:
        return Source(
            "bundled",
            tuple(
                sorted((_bundled(photo) for photo in bundled.BUNDLED_PHOTOS), key=lambda found: found.name)
            ),
        )
    kind, seen, passed = everything(config, out=out)
    return source_of(config, kind, seen, passed)


def source_of(config: IngestConfig, kind: str, seen: list[Found], passed: dict[str, int]) -> Source:
    """The photos and maps among what was seen, and their splits where folders decide them."""
    maps = tuple(file for file in seen if map_kind(file.name) is not None)
    photos = [file for file in seen if extension_of(file.name) in FORMAT_OF and map_kind(file.name) is None]
    ignored = Counter(extension_of(file.name) for file in seen if extension_of(file.name) not in FORMAT_OF)
    strays: tuple[tuple[str, str], ...] = ()
    if isinstance(config.split, ByFolder):
        placed = [replace(file, split=top_folder(file.name)) for file in photos]
        photos = [file for file in placed if file.split is not None]
        strays = strays_of([file.name for file in placed if file.split is None], len(placed), "photos")
    return Source(kind, tuple(photos), maps, dict(sorted(ignored.items())), passed, strays)


def everything(config: IngestConfig, *, out: Path) -> tuple[str, list[Found], dict[str, int]]:
    """What kind of source it is (folder or s3), every file there that is not hidden, whatever its
    extension, in the order of names, and how many of what else were passed over.

    Names are composed (NFC), so that files of one name go together whatever system named them.
    """
    passed: Counter[str] = Counter()
    if storage.is_s3(config.photos):
        kind, files = "s3", list(_objects(config.photos, passed))
    else:
        kind, files = "folder", list(_files(_top(config.photos, out), out, passed))
    return kind, _composed(files), dict(sorted(passed.items()))


def _composed(files: list[Found]) -> list[Found]:
    """The files by composed names; of two whose names differ in nothing else, the second keeps its
    own.
    """
    taken = {file.name for file in files if composed(file.name) == file.name}
    named = []
    for file in sorted(files, key=lambda found: found.name):
        name = composed(file.name)
        if name != file.name and name not in taken:
            taken.add(name)
            named.append(replace(file, name=name))
        else:
            named.append(file)
    return sorted(named, key=lambda found: found.name)


def map_kind(name: str) -> MapKind | None:
    """Which map of a photo a file is by its name: b.mask.png or b.depth.png beside b.jpg; None for
    any other file.

    >>> map_kind("a/b.mask.png"), map_kind("mask.png")
    ('mask', None)
    """
    return next((kind for kind in MAP_KINDS if name.lower().endswith(f".{kind}.png")), None)


def _bundled(photo: bundled.Bundled) -> Found:
    path = bundled.path_of(photo)
    return Found(
        f"{photo.package}/{PurePosixPath(photo.file).name}",
        path.stat().st_size,
        path.read_bytes,
        path,
        photo.split,
        photo.origin,
        photo.licence,
    )


def _objects(uri: str, passed: Counter[str]) -> Iterator[Found]:
    store = _Store()
    for key, size in storage.list_objects(uri):
        if any(part.startswith(".") for part in PurePosixPath(key).parts):
            passed[HIDDEN] += 1
        else:
            address = storage.join(uri, key)
            yield Found(key, size, lambda address=address: store.read(address), address)  # type: ignore[misc]


class _Store:
    """Reads objects. One that is gone or refused is left out; a store that is gone is an error."""

    def __init__(self) -> None:
        self._silent = 0

    def read(self, address: str) -> bytes:
        """An object's bytes. Raises PhotoError where it alone cannot be had, ServiceError when
        several in a row could not be.
        """
        try:
            data = storage.read_object(address)
        except storage.ObjectError as error:
            self._silent = 0
            raise PhotoError(f"unreadable: {error}") from error
        except ServiceError as error:
            self._silent += 1
            if self._silent >= SILENT_OBJECTS:
                raise
            raise PhotoError(f"unreadable: {error}") from error
        self._silent = 0
        return data


def _files(top: Path, out: Path, passed: Counter[str]) -> Iterator[Found]:
    for name, path in _walk(top, out, passed):
        yield Found(name, _size_of(path), lambda path=path: _read(path), path)  # type: ignore[misc]


def _read(path: Path) -> bytes:
    """A file's bytes. Raises PhotoError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"unreadable: {error.strerror or error}") from error


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # a link to nothing, or no right to look: reading it will say so


def _top(photos: str, out: Path) -> Path:
    top = place_of(photos)
    try:
        mode = top.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        where = "" if top.is_absolute() and str(top) == photos else f" (looked for {top.absolute()})"
        raise PhotoError(
            f"no folder {photos}{where}; give ingest.photos, or --photos, a folder of sharp photos or"
            " s3://bucket/prefix"
        ) from None
    except OSError as error:
        raise PhotoError(_unlisted([error], photos)) from error
    if not stat.S_ISDIR(mode):
        raise PhotoError(
            f"ingest.photos must be a folder, {photos} is a file; give the folder it lies in (an archive must"
            " be unpacked first)"
        )
    if top.resolve().is_relative_to(out.resolve()):
        raise PhotoError(
            f"the photos at {photos} lie inside this stage's own output folder, {out}; move them elsewhere"
        )
    return top


def _walk(top: Path, out: Path, passed: Counter[str]) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its printable name; links are followed, a circle of links only
    once, `out` never. Raises PhotoError when a folder cannot be listed.
    """
    finished = {out.resolve(), top.resolve()}
    refused: list[OSError] = []
    for folder, below, files in os.walk(top, followlinks=True, onerror=refused.append):
        here = Path(folder)
        passed[HIDDEN] += sum(name.startswith(".") for name in (*below, *files))
        below[:] = sorted(
            name for name in below if not name.startswith(".") and _first_visit(here / name, finished)
        )
        for name in sorted(name for name in files if not name.startswith(".")):
            path = here / name
            if _is_pipe_or_device(path):
                passed[NO_FILE] += 1
            else:
                yield readable(path.relative_to(top).as_posix()), path
    if refused:
        raise PhotoError(_unlisted(refused, str(top)))
    for kind in [kind for kind, count in passed.items() if not count]:
        del passed[kind]


def _is_pipe_or_device(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False  # reading it will say what is wrong
    return not stat.S_ISREG(mode)


def _unlisted(refused: list[OSError], top: str) -> str:
    """What a person is told of folders that could not be listed."""
    shown = ", ".join(f"{error.filename} ({error.strerror})" for error in refused[:5])
    more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    several = len(refused) > 1
    return (
        f"{'folders' if several else 'a folder'} of photos cannot be listed, and what"
        f" {'they hold' if several else 'it holds'} would be missing without a word: {shown}{more}; let this"
        f" user read {'them' if several else 'it'}, or move {'them' if several else 'it'} out of {top}"
    )


def _first_visit(folder: Path, finished: set[Path]) -> bool:
    place = Path(os.path.realpath(folder))
    if place in finished:
        return False
    finished.add(place)
    return True


def top_folder(name: str) -> Split | None:
    """The split whose folder a name lies in."""
    top = PurePosixPath(name).parts[0]
    return next((split for split in SPLITS if top == split and top != name), None)


def strays_of(names: list[str], total: int, what: str) -> tuple[tuple[str, str], ...]:
    """What lies in no split's folder, with the reason. Raises PhotoError when it is so much that
    the folders are no splits.
    """
    remedy = "Move it, or set ingest.split to {kind: by_content}" + (
        ", or to {kind: one_split, split: test} to measure on all of them" if what == "pairs" else ""
    )
    if len(names) > MOST_STRAYS * total:
        raise PhotoError(
            f"ingest.split is by_folder, so {what} lie in the top folders train, val and test;"
            f' "{names[0]}" does not'
            f"{f', and {len(names) - 1} more' if len(names) > 1 else ''}. {remedy}"
        )
    return tuple((name, f"no split: it lies outside of train, val and test. {remedy}") for name in names)
