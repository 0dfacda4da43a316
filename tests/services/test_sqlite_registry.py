"""What is read straight from the registry's SQLite file is what MLflow says of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import LineageError
from components.services import tracking
from components.services.tracking import registry, sqlite_registry, store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with a model of three versions, the last of them deleted, and another model."""
    monkeypatch.setenv("REFOCUS_HOME", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = store.client()
    if not found.search_registered_models():
        for name in ("small", "other's"):
            found.create_registered_model(name)
            for number in (1, 2, 3):
                tags = {"a": f"{name} {number}", "b": "x" * 4000, "empty": ""}
                found.create_model_version(name, (folder / "model").as_uri(), tags=tags)
        found.set_registered_model_alias("small", "champion", "2")
        found.set_registered_model_alias("small", "challenger", "2")
        found.set_registered_model_alias("other's", "champion", "1")
        found.delete_model_version("small", "3")
    return found


def without_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask MLflow from now on."""
    monkeypatch.setattr(sqlite_registry, "SCHEMA", "another MLflow's")


@pytest.mark.parametrize("name", ["small", "other's"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_version_read_from_the_file_is_the_one_that_mlflow_gives(
    client: Any, name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = tracking.get_version(name, number)
    assert sqlite_registry.asked(store.tracking_uri(), sqlite_registry.version(name, number))
    without_file(monkeypatch)
    asked = tracking.get_version(name, number)
    assert set(read.aliases) == set(asked.aliases)
    assert (read.name, read.number, read.run_id, read.created_ms, read.tags) == (
        asked.name,
        asked.number,
        asked.run_id,
        asked.created_ms,
        asked.tags,
    )


@pytest.mark.parametrize(
    ("name", "alias"),
    [("small", "champion"), ("small", "challenger"), ("small", "previous"), ("none", "champion")],
)
def test_an_alias_read_from_the_file_is_the_one_that_mlflow_gives(
    client: Any, name: str, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = tracking.at_alias(name, alias)
    without_file(monkeypatch)
    asked = tracking.at_alias(name, alias)
    assert (read and read.number) == (asked and asked.number)


@pytest.mark.parametrize(("name", "number"), [("small", 3), ("small", 4), ("none", 1)])
def test_a_version_that_was_deleted_or_never_was_is_none(
    client: Any, name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert registry.maybe_version(name, number) is None
        with pytest.raises(LineageError, match=f"no {name} version {number}"):
            tracking.get_version(name, number)
        without_file(monkeypatch)


def test_the_schema_is_the_one_of_the_mlflow_that_is_installed(client: Any, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (sqlite_registry.SCHEMA,)
        ], "compare the tables with what sqlite_registry.py asks, then set SCHEMA"


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9",
        "postgresql://host/database",
        "sqlite+pysqlite:///mlflow.db",
        "sqlite:///mlflow.db?timeout=3",
        "sqlite:///nowhere.db",
        "sqlite:///plain.txt",
    ],
)
def test_what_is_no_plain_file_of_ours_is_left_to_mlflow(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mlflow.db", "plain.txt"):
        Path(name).write_text("no database")
    assert sqlite_registry.asked(uri, sqlite_registry.at_alias("small", "champion")) is None


def test_asking_changes_nothing_in_the_file(client: Any, folder: Path) -> None:
    before = (folder / "mlflow.db").read_bytes()
    tracking.at_alias("small", "champion")
    assert (folder / "mlflow.db").read_bytes() == before


def test_a_models_tags_read_from_the_file_are_those_that_mlflow_gives(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.add_model_tags("small", {"refocus.looked.a": '{"it": "ü"}'})
    tracking.add_model_tags("other's", {"refocus.looked.a": "another"})
    read = [tracking.model_tags(name) for name in ("small", "other's", "none")]
    without_file(monkeypatch)
    assert read == [tracking.model_tags(name) for name in ("small", "other's", "none")]
    assert read[0]["refocus.looked.a"] == '{"it": "ü"}'
