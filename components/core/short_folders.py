"""Folders with a short path for this process alone, whose sockets must fit into about 100 bytes; what a
process left that was killed outright is swept by the next one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

PREFIX, OWNER = "rf-", "pid"


def make(place: Path) -> Path:
    """A new folder below `place` that only this user may read. Raises OSError."""
    sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    (folder / OWNER).write_text(str(os.getpid()))
    return folder


def remove(folder: Path) -> None:
    """Take it away, and what a link in it leads to not."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Take away what dead processes of this user left."""
    for folder in place.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            os.kill(int((folder / OWNER).read_text()), 0)
        except ProcessLookupError:
            remove(folder)
        except (OSError, ValueError):
            continue


def first_usable(places: Iterable[Path]) -> Path | None:
    """The first place that this user may write."""
    return next((place for place in places if os.access(place, os.W_OK | os.X_OK)), None)
