"""What a run left in a project's registry, but for times and names that differ from run to run: read from
its SQLite file alone.
"""

from __future__ import annotations

import json
import sqlite3
import urllib.parse
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from components.register.export import FILES

OF_ONE_RUN = ("_at", "_by", ".since", ".beat", ".owner", ".process", ".decision", ".files_sha256", ".words")
DECISIONS = ".decisions"


def registry_left(root: Path) -> dict[str, str]:
    """The registry's content by key, as text; `without files` names versions whose files are not all
    there. Rows of decisions that came to nothing are none.
    """
    with closing(sqlite3.connect(root / ".refocus" / "mlflow.db")) as database:
        versions = database.execute("SELECT name, version, storage_location FROM model_versions").fetchall()
        tags = database.execute("SELECT name, version, key, value FROM model_version_tags").fetchall()
        aliases = database.execute("SELECT name, alias, version FROM registered_model_aliases").fetchall()
    found: dict[str, str] = {"aliases": str(sorted(aliases))}
    incomplete = []
    decisions = []
    for name, number, place in sorted(versions, key=lambda row: (row[0], row[1])):
        own = {key: value for model, version, key, value in tags if (model, version) == (name, number)}
        kept = {key: value for key, value in sorted(own.items()) if not key.endswith(OF_ONE_RUN)}
        if name.endswith(DECISIONS):
            if own.get("refocus.state") != "dropped":
                decisions.append((own.get("refocus.state"), own.get("refocus.open"), _decided(own)))
            continue
        found[f"{name} version {number}"] = str(kept)
        if not _whole(Path(urllib.parse.unquote(urllib.parse.urlsplit(place).path))):
            incomplete.append(f"{name} {number}")
    return found | {"decisions": str(decisions), "without files": ", ".join(incomplete)}


def _decided(tags: dict[str, str]) -> str:
    told = json.loads(tags.get("refocus.decision", "{}"))
    return str({key: told.get(key) for key in ("action", "version", "against", "promoted")})


def _whole(folder: Path) -> bool:
    listed = folder / FILES
    names: Iterable[str] = json.loads(listed.read_text()) if listed.is_file() else ("nothing at all",)
    return all((folder / name).is_file() for name in names)
