"""A served model at a free port of this machine, in a thread, for the length of a block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from processes import wait_for

from components.serving.app import build_app
from components.serving.here import _Server
from components.serving.models import Models, OneModel
from components.serving.settings import ServingSettings


@contextmanager
def listening(settings: ServingSettings, models: Models | OneModel | None) -> Iterator[str]:
    """Gives the address."""
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
