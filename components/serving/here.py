"""The application run by uvicorn in this process, until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from components.core.ports import address_of, listening
from components.serving.app import build_app, models_of
from components.serving.models import Models, OneModel
from components.serving.settings import ServingSettings

GRACE_S = 20  # for what is at work when the service is told to stop
SECOND_S = 1.0  # after the first signal another one means: at once
WORKER = "AnyIO worker thread"  # what anyio calls them; Python waits for each when it ends
HEEDED = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """Stops well at the first signal, at once at the second; uvicorn itself would raise the signal
    again when it has stopped, as if something had been broken off.
    """

    _told_at = 0.0
    _end: threading.Timer | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._told) for number in HEEDED}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop, and a little longer for what is at work then."""
        try:
            super().run(sockets)
        finally:
            at_work = any(each.name == WORKER and each.is_alive() for each in threading.enumerate())
            if self._end is not None and not at_work:
                self._end.cancel()

    def _told(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        # `timeout` and others send a signal to the process and to its group: that is one, not two.
        if self.should_exit and now - self._told_at > SECOND_S:
            self.force_exit = True
        elif not self.should_exit:
            self.should_exit, self._told_at = True, now
            # A restoration is a thread's work, which nothing breaks off but the end of the process.
            self._end = threading.Timer(GRACE_S + 1, os._exit, [1])
            self._end.daemon = True
            self._end.start()


def run(settings: ServingSettings, ready: Callable[[str, str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; what is at work then is finished, or broken off after GRACE_S, with
    exit status 1.

    ready: called with the address and the model's words when requests are answered. Raises what loading
    the model raises, and InputError where the port cannot be had: before that, and for good, so that of two
    services that start at once the second is told.
    """
    models = models_of(settings.checked())
    with listening(settings.port, settings.host) as places:
        models.start()
        _serve(settings, models, places, ready)


def _serve(
    settings: ServingSettings,
    models: Models | OneModel,
    places: list[socket.socket],
    ready: Callable[[str, str], None],
) -> None:
    config = uvicorn.Config(
        build_app(settings, models),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=None,
        lifespan="on",
    )
    server = _Server(config)
    assert models.current is not None
    ready(address_of(settings.host, settings.port), models.current.words)
    server.run(places)
