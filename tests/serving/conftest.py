"""One MLflow store for all tests of this folder; each test uses a model name of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from listening import listening

from components.services import tracking
from components.serving.models import Models, OneModel
from components.serving.settings import ServingSettings

Started = Callable[..., str]


@pytest.fixture(scope="session")
def _store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def store(_store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a SQLite store."""
    monkeypatch.setenv("REFOCUS_HOME", str(_store_folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.prepare()
    return _store_folder


@pytest.fixture
def served() -> Iterator[Started]:
    """Serve for the length of a test, at a free port of this machine; gives the address."""
    with ExitStack() as stack:

        def start(settings: ServingSettings, models: Models | OneModel | None = None) -> str:
            return stack.enter_context(listening(settings, models))

        yield start


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nobody listened at a moment ago."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
