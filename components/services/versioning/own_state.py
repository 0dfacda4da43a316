"""DVC's own small files, when a crash or a full disk left them unreadable: DVC would stop at them for
good.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from components.core.files import write_text
from components.core.own_state import read_or_set_aside
from components.services.versioning.dvc import LOCK
from components.services.versioning.git import file_at, last_run


def mend(recipe: str, *, root: Path) -> None:
    """Set unreadable ones aside, each with a line. dvc.lock comes back as the recipe's last run, or the
    last commit, had it; without it DVC asks the stages anew.
    """
    read_or_set_aside(root / ".dvc" / "tmp" / "rwlock", _json)
    lock = root / LOCK
    if not lock.exists() or read_or_set_aside(lock, _yaml) is not None:
        return
    for commit in (last_run(recipe, root=root), "HEAD"):
        text = file_at(commit, LOCK, root=root) if commit else None
        if text:
            write_text(lock, text)
            return


def _json(data: bytes) -> Any:
    return json.loads(data) if data.strip() else {}


def _yaml(data: bytes) -> dict[str, Any]:
    found = yaml.safe_load(data)
    if not isinstance(found, dict) or not isinstance(found.get("stages", {}), dict):
        raise TypeError("it holds no stages")
    if found.get("schema", "2.0") != "2.0":
        raise TypeError(f"its schema is {found['schema']}, not 2.0")
    for name, stage in found.get("stages", {}).items():
        if not isinstance(stage, dict) or "cmd" not in stage:
            raise TypeError(f"it holds no command of {name}")
        for field in ("deps", "outs"):
            files = stage.get(field, [])
            if not isinstance(files, list) or not all(
                isinstance(each, dict) and "path" in each for each in files
            ):
                raise TypeError(f"it holds {field} of {name} that are no files")
    return found
