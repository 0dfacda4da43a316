"""Files on their way: where they lie until they are whole, and who takes away what a killed process left.

A stage's output folder is hashed by DVC as it is, so a file that is not whole must never lie in it. Below a
project temporaries lie in ROOT/.dvc/tmp/refocus, which git and DVC ignore, and are moved into place in one
step; where that is another disk, or there is no project, they lie beside the file under a name of their
own. A name holds the process that wrote it: once that is gone, the next command takes the file away.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

PREFIX = ".refocus-"
_NAME = re.compile(re.escape(PREFIX) + r"(?P<pid>\d+)-(?P<began>\d+)-.*")


def new_temporary(path: Path) -> Path:
    """An empty file that can become `path` in one step. Raises OSError when it cannot be made."""
    folder = _folder_for(path.parent)
    prefix = f"{PREFIX}{os.getpid()}-{_began(os.getpid())}-"
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=folder)
    os.close(handle)
    return Path(name)


def put_in_place(temporary: Path, path: Path) -> None:
    """Move a whole file to its place in one step."""
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # One disk by its number, two by its mounts (containers' layers): go through a file beside.
        beside = path.parent / temporary.name
        try:
            shutil.copy2(temporary, beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def sweep(root: Path, *folders: Path) -> tuple[Path, ...]:
    """Take away what processes that are gone left on their way, in a project and below the given folders;
    gives what it was. Files of processes that still live stay.
    """
    left = [path for path in _files(root / ".dvc" / "tmp" / "refocus", *folders) if _is_left(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return tuple(left)


def _files(*folders: Path) -> Iterable[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from folder.rglob(f"{PREFIX}*")


def _folder_for(folder: Path) -> Path:
    for above in (folder, *folder.parents):
        if (above / "dvc.yaml").is_file() and (above / ".dvc").is_dir():
            chosen = above / ".dvc" / "tmp" / "refocus"
            try:
                chosen.mkdir(parents=True, exist_ok=True)
                usable = chosen.stat().st_dev == folder.stat().st_dev and os.access(chosen, os.W_OK)
            except OSError:
                usable = False
            return chosen if usable else folder
    return folder


def _is_left(name: str) -> bool:
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    return _began(int(found["pid"])) != int(found["began"])


def _began(pid: int) -> int:
    """When a process began, in hundredths of a second; 0 when there is none."""
    import psutil  # a registered model carries this file, and needs no processes to be loaded

    try:
        return round(100 * psutil.Process(pid).create_time())
    except psutil.Error:
        return 0
