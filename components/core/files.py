"""Files that are either whole or absent: atomic writes, digests, JSON Lines, the state folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.errors import InputError
from components.core.parts import Part, canonical_json
from components.core.temporaries import new_temporary, put_in_place

STATE_VARIABLE = "REFOCUS_HOME"


def state_folder(root: Path | None = None) -> Path:
    """Where runs keep what is not an artifact (tracking database, resumable training, locks):
    $REFOCUS_HOME, or ROOT/.refocus.

    Raises InputError when the folder is not there and cannot be made.
    """
    chosen = os.environ.get(STATE_VARIABLE)
    folder = Path(chosen).expanduser() if chosen else (root or Path.cwd()) / ".refocus"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the state folder {folder} cannot be made ({error.strerror}); set {STATE_VARIABLE} to a folder"
            " that can be"
        ) from error
    return folder.resolve()


def state_variable(folder: Path) -> dict[str, str]:
    """What a child process or a worker is given, so that its state folder is this one."""
    return {STATE_VARIABLE: str(folder)}


def settle_state_folder(root: Path) -> Path:
    """The state folder of a checkout, from now on also that of this whole process and its children,
    whatever folder they work in.
    """
    folder = state_folder(root)
    os.environ.update(state_variable(folder))
    return folder


@contextmanager
def state_kept_in(folder: Path) -> Iterator[None]:
    """Let this process and its children keep their state there for the length of the block."""
    before = os.environ.get(STATE_VARIABLE)
    os.environ.update(state_variable(folder))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(STATE_VARIABLE, None)
        else:
            os.environ[STATE_VARIABLE] = before


def need_writable(folder: Path) -> None:
    """Raises InputError when this user may not write in the state folder: before work starts, and
    not from whoever writes there first.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"the state folder {folder} may not be written; give this user the right, or set {STATE_VARIABLE}"
            " to a folder of your own"
        )


def sha256_of_file(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256 (64 hex digits) of bytes."""
    return hashlib.sha256(data).hexdigest()


def code_digest(*folders: Path) -> str:
    """SHA-256 over the Python files below the folders (names and bytes): which code made a thing."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted([folder] if folder.is_file() else folder.rglob("*.py")):
            total.update(f"{path.relative_to(folder.parent)}\0{sha256_of_file(path)}\n".encode())
    return total.hexdigest()


@contextmanager
def atomic_path(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Give a temporary path on the same disk as `path`; when the block ends well it takes its place in
    one step, else it is gone. What a killed process leaves is swept by the next one
    (`core/temporaries.py`), and lies in no stage's output.

    new: raise FileExistsError, and replace nothing, where something has that name by then.
    Raises InputError when the disk is full, naming the folder and what is free, and when the folder
    cannot be made or written to.
    """
    make_folder(path.parent)
    try:
        temporary = new_temporary(path)
    except PermissionError as error:
        raise InputError(
            f"nothing can be written to the folder {path.parent}: {error.strerror}; let this user write"
            " there, or choose another folder"
        ) from error
    try:
        yield temporary
        temporary.chmod(0o644)
        if new:
            _take_free_name(temporary, path)
        else:
            put_in_place(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free_mb = shutil.disk_usage(path.parent).free / 1e6
            raise InputError(
                f"the disk is full: {free_mb:.0f} MB are free at {path.parent}, more are needed for"
                f" {path.name}; free some and run the same command again"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _take_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        put_in_place(temporary, path)


def make_folder(folder: Path) -> None:
    """A folder and those above it, if they are not there. Raises InputError when a file stands in
    the way or this user may not make it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"the folder {folder} cannot be made: {error.filename} is a file, or lies below one; move it, or"
            " choose another folder"
        ) from error
    except PermissionError as error:
        raise InputError(
            f"the folder {folder} cannot be made: {error.strerror}; let this user write there, or choose"
            " another folder"
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file in one step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file (UTF-8) in one step."""
    write_bytes(path, text.encode())


def write_rows(path: Path, rows: Iterable[Part]) -> str:
    """Write one JSON line a row, in one step; returns the file's SHA-256."""
    text = "".join(canonical_json(row.model_dump(mode="json")) + "\n" for row in rows)
    write_text(path, text)
    return sha256_of_bytes(text.encode())


def need_free_space(folder: Path, megabytes: float, what: str) -> None:
    """Refuse before work starts when the disk cannot hold what will be written."""
    make_folder(folder)
    free_mb = shutil.disk_usage(folder).free / 1e6
    if free_mb < megabytes:
        raise InputError(
            f"{what} needs about {megabytes:.0f} MB at {folder}, {free_mb:.0f} MB are free; free some, or set"
            f" {STATE_VARIABLE} to a folder on a larger disk"
        )
