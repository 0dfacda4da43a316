"""Where the photos lie that a command names: files, folders, patterns and S3 prefixes."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.core.decoding import MAX_MEGAPIXELS, header, is_photo, max_bytes, photo_bytes
from components.core.errors import InputError, PhotoError
from components.core.photo_names import FORMAT_OF, extension_of
from components.services import storage

START = 64  # bytes that tell a photo from what is none


@dataclass(frozen=True)
class PhotoPlace:
    """One file or object that may be a photo."""

    at: str  # its path or address
    name: str  # below what was named, with /
    named: bool  # by itself, so that it has to be a photo
    size: int | None = None  # bytes, where a listing told them

    def is_meant_as_a_photo(self) -> bool:
        """Whether it was named by itself, is called as photos are, or begins as one. What then is none (an
        empty file, a pointer of Git LFS, a web page) or cannot be read is told when it is read.
        """
        if self.named or extension_of(self.name) in FORMAT_OF:
            return True
        try:
            if storage.is_s3(self.at):
                return is_photo(storage.read_range(self.at, 0, START))
            if not stat.S_ISREG(Path(self.at).stat().st_mode):
                return False
            with Path(self.at).open("rb") as stream:
                return is_photo(stream.read(START))
        except (OSError, storage.ObjectError):
            return True

    def read(self) -> bytes:
        """Its bytes, of which the first tell a photo. Raises PhotoError, with the path."""
        try:
            data = self._object() if storage.is_s3(self.at) else _file(Path(self.at))
            header(data)
        except PhotoError as error:
            told = str(error)
            raise error if self.at in told else PhotoError(f"{self.at}: {told}") from error
        return data

    def _object(self) -> bytes:
        if self.size is not None and self.size > max_bytes(MAX_MEGAPIXELS):
            raise PhotoError(f"too large: {self.size / 1e6:.0f} MB")
        try:
            return storage.read_object(self.at)
        except storage.ObjectError as error:  # gone since it was listed, archived, not for this user
            raise PhotoError(f"unreadable: {error}") from error


def places_of(words: Sequence[str | Path], out: Path) -> list[PhotoPlace]:
    """Everything that the words name, each once, in order; what lies below `out` is not taken.

    A word is a file, a folder (all below it), a pattern with * ? [ ] ** that a shell did not expand, or
    an s3:// address (an object, or a prefix with all below it).
    Raises InputError where a pattern or prefix has nothing, or `out` is a folder that is read.
    """
    found: dict[str, PhotoPlace] = {}
    for word in map(_at_home, words):
        if storage.is_s3(word):
            new = _below_prefix(word)
        elif Path(word).is_dir():
            new = _below_folder(Path(word), out)
        elif glob.has_magic(word) and not os.path.lexists(word):
            new = _matching(word, out)
        else:
            new = [PhotoPlace(word, Path(word).name, named=True)]
        for place in new:
            found.setdefault(_one_way(place.at), place)
    return list(found.values())


def _below_folder(top: Path, out: Path) -> list[PhotoPlace]:
    if out.resolve() == top.resolve():
        raise InputError(
            f"--out {out} is the folder that is read, and the next time its restored photos would be"
            f" restored again; name another, such as {top / 'restored'}"
        )
    found, unread = [], list[OSError]()
    visited = {os.path.realpath(out), os.path.realpath(top)}  # a circle of links is walked once
    for folder, below, files in os.walk(top, followlinks=True, onerror=unread.append):
        below[:] = [
            name
            for name in sorted(below)
            if not name.startswith(".") and _first_visit(f"{folder}/{name}", visited)
        ]
        for name in sorted(files):
            path = Path(folder) / name
            if not name.startswith("."):
                found.append(PhotoPlace(str(path), path.relative_to(top).as_posix(), named=False))
    found += [  # told with its reason when it is read
        PhotoPlace(str(error.filename), os.path.relpath(error.filename, top), named=True) for error in unread
    ]
    if not found:
        # A photo's place, so that this is told beside what else could not be restored.
        return [PhotoPlace(str(top), top.name, named=True)]
    return found


def _at_home(word: str | Path) -> str:
    """With the person's folder in the place of ~, which no shell expands in quotes."""
    return str(Path(word).expanduser()) if str(word).startswith("~") else str(word)


def _one_way(at: str) -> str:
    """One way to write a place; links stay what they are."""
    return at if storage.is_s3(at) else os.path.normpath(Path(at).absolute())


def _first_visit(folder: str, visited: set[str]) -> bool:
    place = os.path.realpath(folder)
    if place in visited:
        return False
    visited.add(place)
    return True


def _hidden(found: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether a part begins with a dot that the pattern did not ask for, as shells have it."""
    dotted = sum(part.startswith(".") for part in asked)
    return sum(part.startswith(".") for part in found) > dotted


def _matching(pattern: str, out: Path) -> list[PhotoPlace]:
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    fixed = Path(*parts[:first])
    found = [
        PhotoPlace(str(path), path.relative_to(fixed).as_posix(), named=False)
        for path in sorted(fixed.glob("/".join(parts[first:])))
        if not path.is_dir()
        and not Path(os.path.realpath(path)).is_relative_to(out.resolve())
        and not _hidden(path.relative_to(fixed).parts, parts[first:])
    ]
    if not found:
        raise InputError(f"no file fits {pattern}")
    return found


def _below_prefix(uri: str) -> list[PhotoPlace]:
    found = [
        # A key may begin with a slash of its own, and is no path from this machine's root.
        PhotoPlace(storage.join(uri, name), name.lstrip("/"), named=False, size=size)
        for name, size in storage.list_objects(uri)
        if not any(part.startswith(".") for part in PurePosixPath(name).parts) and not name.endswith("/")
    ]
    if found:
        return sorted(found, key=lambda place: place.name)
    return [PhotoPlace(uri, PurePosixPath(uri).name, named=True)]


def _file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise PhotoError(f"no photo at {path}: a link to {path.readlink()}, which is not there") from None
        raise PhotoError(f"no photo at {path}; give paths of image files") from None
    except OSError as error:
        raise PhotoError(f"{path}: unreadable: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise PhotoError(f"{path} is a folder with no photo in it")
    if not stat.S_ISREG(mode):
        raise PhotoError(f"{path}: unreadable: it is a pipe or a device")
    return photo_bytes(path)
