"""Files that are either whole or absent: atomic writes, digests, JSON Lines, the state folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.core.causes import cause_of, refused, told
from components.core.errors import InputError, RefocusError
from components.core.parts import Part, canonical_json
from components.core.temporaries import new_temporary, put_in_place

STATE_VARIABLE = "REFOCUS_HOME"
_CHECKOUT = "REFOCUS_CHECKOUT"
# A disk's own refusals; what else goes wrong in a block that writes is the block's to tell.
WHILE_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)


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


def checkout_variable(root: Path) -> dict[str, str]:
    """What the stages of a scheduled run are given, so that `place_of` finds the checkout's files."""
    return {_CHECKOUT: str(root)}


def place_of(text: str) -> Path:
    """A path as a recipe names it: relative to the working directory, and, where a scheduled run
    works in a worktree of its own, to the checkout it was started from when nothing is there.
    """
    path = Path(text).expanduser()
    checkout = os.environ.get(_CHECKOUT)
    if path.is_absolute() or path.exists() or not checkout:
        return path
    there = Path(checkout) / path
    return there if there.exists() else path


def need_plain(root: Path) -> None:
    """Raises InputError for a project whose path no list of paths can hold."""
    if os.pathsep in str(root) or "\n" in str(root):
        raise InputError(
            f"the project lies at {root}, and a colon or a line's end in a path cannot be passed on in PATH"
            " and PYTHONPATH; move or rename the folder"
        )


def need_writable(folder: Path) -> None:
    """Raises InputError when this user may not write in the state folder: before work starts, and
    not from whoever writes there first.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
        why = " (it lies on a read-only file system)" if read_only else ""
        raise InputError(
            f"the state folder {folder} may not be written{why}; give this user the right, or set"
            f" {STATE_VARIABLE} to a folder of your own"
        )


def need_writable_place(folder: Path) -> None:
    """Raises InputError when nothing can be written to a folder, which may not be there yet: before work
    starts whose result goes there. Leaves nothing behind.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return
    read_only = bool(os.statvfs(there).f_flag & os.ST_RDONLY)
    number = errno.EROFS if read_only else errno.EACCES if there.is_dir() else errno.ENOTDIR
    error = OSError(number, os.strerror(number), str(there))
    doing = f"nothing can be written to the folder {folder}"
    raise refused(error, doing, place=there) or InputError(f"{doing}: {there} is a file; move it") from error


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
    except OSError as error:
        doing = f"nothing can be written to the folder {path.parent}"
        raise refused(error, doing, place=path.parent, what=path.name) or error from error
    try:
        yield temporary
        temporary.chmod(0o644)
        if new:
            _take_free_name(temporary, path)
        else:
            put_in_place(temporary, path)
    except OSError as error:
        if error.errno in WHILE_WRITING:
            doing = f"{path} could not be written"
            raise refused(error, doing, place=path.parent, what=path.name) or error from error
        raise
    except RefocusError:
        raise
    except Exception as error:  # a library that writes by itself, and tells the disk's refusal in words
        cause = cause_of(error)
        if cause is None or not {*cause.errnos} & {*WHILE_WRITING}:
            raise
        doing = f"{path} could not be written"
        raise told(cause, place=path.parent, doing=doing, why=error) from error
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
    except OSError as error:
        doing = f"the folder {folder} cannot be made"
        raise refused(error, doing, place=folder, what=folder.name) or error from error


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
        ours = folder.resolve().is_relative_to(state_folder())
        remedy = f"set {STATE_VARIABLE} to a folder on a larger disk" if ours else "make its disk larger"
        raise InputError(
            f"{what} needs about {megabytes:.0f} MB at {folder}, {free_mb:.0f} MB are free; free some, or"
            f" {remedy}"
        )
