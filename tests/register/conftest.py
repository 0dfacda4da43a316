"""One MLflow store for all tests of this folder; each test uses a model name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from chain import Chain, make_chain

from components.services import tracking


@pytest.fixture(scope="session")
def _store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def store(_store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a SQLite store, made by the first test that asks."""
    monkeypatch.setenv("REFOCUS_HOME", str(_store_folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.prepare()
    return _store_folder


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A chain of records that closes."""
    return make_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="session")
def bare_chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A chain to make models of, for who tells them apart by their gains."""
    return make_chain(tmp_path_factory.mktemp("bare"))
