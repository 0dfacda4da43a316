"""Files for a folder that a person named: what this program did not make itself is never replaced.

A file that is made for a person carries a seal: the SHA-256 of the rest of it, in a PNG as a text
chunk, in HTML and SVG as a last comment. It is ours while the seal is true; one that a person put
there, or has changed since, is theirs and stays, unless `--overwrite` was said. The seal travels
with the file, so that neither a list beside it nor a state folder is needed.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from components.core.causes import cause_named, told
from components.core.errors import InputError
from components.core.files import atomic_path, sha256_of_bytes, sha256_of_file
from components.core.locks import alone_in

NAMED = 5  # files named in a refusal
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"


class Delivery:
    """A folder to write into, within `delivering`. Names are relative to it, with /."""

    def __init__(
        self,
        folder: Path,
        *,
        overwrite: bool = False,
        known: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """overwrite: a person said that what is there may be replaced; known: by name the SHA-256s
        of files that may be replaced without a seal, since a record there names them.
        """
        self.folder, self._overwrite, self._known = folder, overwrite, known or {}

    def refuse_others(self, names: Iterable[str]) -> None:
        """Raises InputError when files of these names lie there that are not ours: to be asked
        before work starts.
        """
        others = [name for name in map(self._within, names) if self._is_others(self.folder / name, name)]
        if not others:
            return
        one = len(others) == 1
        shown = ", ".join(str(self.folder / name) for name in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        remedy = (
            f"move {'it' if one else 'them'}, or choose another folder"
            if any(_is_folder(self.folder / name) for name in others)
            else f"choose another folder, or say --overwrite to replace {'it' if one else 'them'}"
        )
        raise InputError(
            f"{shown}{more} would be replaced, and {'was' if one else 'were'} not made by this command, or"
            f" changed since; {remedy}"
        )

    @contextmanager
    def incoming(self, name: str) -> Iterator[Path]:
        """Give a temporary path; when the block ends well its file takes the name's place in one
        step. Raises InputError when a file that is not ours came there meanwhile.
        """
        path = self.folder / name
        self.refuse_others([name])
        try:
            with atomic_path(path, new=not os.path.lexists(path)) as temporary:
                yield temporary
        except FileExistsError as error:
            raise InputError(
                f"{path} came there while it was being made, and is not replaced; choose another folder"
            ) from error

    def write(self, name: str, data: bytes) -> Path:
        """Seal a PNG, HTML or SVG and write it in one step; gives its path."""
        with self.incoming(name) as temporary:
            temporary.write_bytes(sealed(data))
        return self.folder / name

    def _within(self, name: str) -> str:
        """The name, if what is called so lies below the folder. Raises InputError."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(f"{name!r} would be written outside of {self.folder}; give it another name")
        return name

    def _is_others(self, path: Path, name: str) -> bool:
        if not os.path.lexists(path):
            return False
        if _is_folder(path):
            return True
        if self._overwrite:
            return False
        if path.is_symlink() or not path.is_file():
            return True
        known = self._known.get(name)
        return not is_sealed(path.read_bytes()) if known is None else sha256_of_file(path) not in known


@contextmanager
def delivering(folder: Path) -> Iterator[None]:
    """Around all that a command does with a folder to deliver into, from the first look at what lies there
    to the last file: two at once would each take the other's files for a person's, or do all twice.

    Raises InputError for what is no folder of this machine, or cannot be made or written to, and BusyError
    where another process is at it.
    """
    _need_to_be_made(folder)
    with alone_in(folder):
        yield


def sealed(data: bytes) -> bytes:
    """A whole PNG, or the text of an HTML or SVG file, with its seal."""
    if data.startswith(PNG_START):
        return data[: -len(PNG_END)] + _seal(data) + PNG_END
    return data + _seal(data)


def is_sealed(data: bytes) -> bool:
    """Whether a file carries a seal and is, to the byte, what was sealed."""
    length = len(_seal(data))
    end = PNG_END if data.startswith(PNG_START) else b""
    rest = data[: len(data) - length - len(end)] + end
    return data == sealed(rest)


def _seal(data: bytes) -> bytes:
    """The seal of a file that has none yet; always of one length."""
    digest = sha256_of_bytes(data)
    if not data.startswith(PNG_START):
        return f"<!-- made by refocus {digest} -->\n".encode()
    body = f"refocus\0{digest}".encode()
    return struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))


def _need_to_be_made(folder: Path) -> None:
    """Raises InputError when nothing can be written there; leaves nothing behind."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(folder), re.IGNORECASE):  # Path makes one slash of two
        raise InputError(
            f"--out {folder} is an address, and files are delivered to a folder of this machine; name one,"
            " and copy it from there"
        )
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryDirectory(dir=there):
            return
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise told(cause_named("link loop"), place=there) from error
        raise InputError(
            f"--out {folder} cannot be written to ({there}: {error.strerror}); name another folder"
        ) from error


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
