"""One MLflow store for all tests of this folder; each test uses a model name of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvicorn
from processes import wait_for

from components.services import tracking
from components.serving.app import build_app
from components.serving.here import _Server
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
            return stack.enter_context(_listening(settings, models))

        yield start


@contextmanager
def _listening(settings: ServingSettings, models: Models | OneModel | None) -> Iterator[str]:
    config = uvicorn.Config(build_app(settings, models), port=0, log_level="warning", lifespan="on")
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_for(lambda: server.started or not thread.is_alive(), 60)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nobody listened at a moment ago."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
