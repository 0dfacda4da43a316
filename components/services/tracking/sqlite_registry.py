"""Questions about the registry that a local SQLite file answers in milliseconds, where importing
MLflow to ask them takes seconds: which version has an alias, and what a version's tags are.

Reads only, and only a file whose schema is the one of the tested MLflow (SCHEMA, Alembic's name for
it); whoever finds None here asks MLflow itself.
"""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

SCHEMA = "dc11669786a5"
PATIENCE_S = 60.0  # for a writer to finish
WORKSPACE = "default"
_PREFIX, _DELETED = "sqlite:///", "Deleted_Internal"
Answer = TypeVar("Answer")
Row = tuple[str, int, str | None, int, dict[str, str], tuple[str, ...]]


def file_of(uri: str) -> Path | None:
    """The file of a SQLite address, whatever its path holds; None for another kind of address."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    place = make_url(uri).database or ""
    if place.startswith("file:"):
        place = urllib.parse.unquote(place.removeprefix("file:"))
    return Path(place) if place else None


def asked(uri: str, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
    """The answer to a question put to the file at `uri`; None where it cannot be asked this way."""
    place = uri.removeprefix(_PREFIX)
    path = Path(place)
    if place == uri or "?" in place or not path.is_file() or "MLFLOW_WORKSPACE" in os.environ:
        return None
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
        ) as database:
            if database.execute("SELECT version_num FROM alembic_version").fetchall() != [(SCHEMA,)]:
                return None
            return question(database)
    except sqlite3.Error:
        return None  # MLflow says what is wrong with it


def version(name: str, number: int) -> Callable[[sqlite3.Connection], Row | tuple[()]]:
    """Asks for a version: name, number, run, moment of its making (ms), tags, aliases; () when
    there is none.
    """

    def question(database: sqlite3.Connection) -> Row | tuple[()]:
        found = database.execute(
            "SELECT run_id, creation_time FROM model_versions"
            " WHERE workspace = ? AND name = ? AND version = ? AND current_stage != ?",
            (WORKSPACE, name, number, _DELETED),
        ).fetchone()
        if found is None:
            return ()
        tags = database.execute(
            "SELECT key, value FROM model_version_tags WHERE workspace = ? AND name = ? AND version = ?",
            (WORKSPACE, name, number),
        )
        aliases = database.execute(
            "SELECT alias FROM registered_model_aliases WHERE workspace = ? AND name = ? AND version = ?",
            (WORKSPACE, name, number),
        )
        return (
            name,
            number,
            found[0] or None,
            int(found[1] or 0),
            dict(tags.fetchall()),
            tuple(alias for (alias,) in aliases),
        )

    return question


def model_tags(name: str) -> Callable[[sqlite3.Connection], dict[str, str]]:
    """Asks for the tags of a model as a whole; none when there is no such model."""

    def question(database: sqlite3.Connection) -> dict[str, str]:
        rows = "SELECT key, value FROM registered_model_tags WHERE workspace = ? AND name = ?"
        return dict(database.execute(rows, (WORKSPACE, name)).fetchall())

    return question


def at_alias(name: str, alias: str) -> Callable[[sqlite3.Connection], int]:
    """Asks for the number of the version that an alias points to; 0 when there is none."""

    def question(database: sqlite3.Connection) -> int:
        found = database.execute(
            "SELECT version FROM registered_model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
            (WORKSPACE, name, alias),
        ).fetchone()
        return int(found[0]) if found else 0

    return question


def newest_tagged(name: str, key: str, value: str) -> Callable[[sqlite3.Connection], int]:
    """Asks for the number of the newest version whose tag has this value; 0 when there is none."""

    def question(database: sqlite3.Connection) -> int:
        found = database.execute(
            "SELECT MAX(tags.version) FROM model_version_tags AS tags JOIN model_versions AS versions"
            " USING (workspace, name, version) WHERE workspace = ? AND name = ? AND tags.key = ?"
            " AND tags.value = ? AND versions.current_stage != ?",
            (WORKSPACE, name, key, value, _DELETED),
        ).fetchone()
        return int(found[0] or 0)

    return question
