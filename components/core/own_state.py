"""What a run keeps for the next one: a cache, never the only copy of anything. What cannot be read is
set aside with a line, and the work is done again or the one before is taken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SET_ASIDE = ".unreadable"


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None when there is no such file, or when it was set aside as unreadable."""
    found: dict[str, Any] | None = read_or_set_aside(path, _object)
    return found


def read_or_set_aside(path: Path, read: Callable[[bytes], Any]) -> Any:
    """What `read` makes of a file; None when there is none, or when `read` raises and the file was set
    aside.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return read(data)
    except Exception as error:  # of a file that was cut or zeroed, anything at all
        set_aside(path, " ".join(str(error).split()) or type(error).__name__)
        return None


def set_aside(path: Path, why: str) -> None:
    """Move a file or folder out of the way, over an older one that was, and say so in one line."""
    aside = path.with_name(path.name + SET_ASIDE)
    if aside.is_dir():
        import shutil

        shutil.rmtree(aside)
    path.replace(aside)
    print(f"refocus: {path} cannot be read ({why[:200]}); it is set aside as {aside.name}", file=sys.stderr)


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise TypeError(f"a JSON object was expected, not {type(found).__name__}")
    return found
