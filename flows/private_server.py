"""Prefect's server for the length of one run, on this machine's loopback and for this user alone.

    python -m flows.private_server PORT      (started by flows/console.py, never by hand)

Signals go past it: a supervisor sends SIGTERM to a whole group, and the server must be told by the
run how it ended. It ends when its standard input closes, which also happens when the run is killed
outright.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.core.causes import cause_in, refused, told
from components.core.errors import ServiceError
from components.core.files import make_folder
from flows.prefect_address import API_VARIABLE, PATIENCE_S

ENDING_S = 3.0
START_S = 90  # the first start builds its database; on two cores that took 12 s


class PrivateServer:
    """A Prefect server of our own for as long as this process lives (flows/private_server.py)."""

    def __init__(self, home: Path) -> None:
        self._port = _free_port()
        self._log = home / "private-server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}/api"

    def start(self) -> None:
        """Begin to start it, in a session of its own."""
        make_folder(self._log.parent)
        quiet = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        here = str(Path(__file__).resolve().parents[1])
        paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
        try:
            words = self._log.open("wb")
        except OSError as error:
            doing = f"nothing can be written to {self._log}"
            raise refused(error, doing, place=self._log) or error from error
        with words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.private_server", str(self._port)],
                env={**os.environ, **quiet, "PYTHONPATH": paths},
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it answers. Raises ServiceError with its last words when it does not."""
        assert self._process is not None
        straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < until:
            with (
                suppress(OSError, http.client.HTTPException),
                straight.open(f"{self.address}/health", timeout=PATIENCE_S),
            ):
                return
            time.sleep(0.1)
        said = self._log.read_text(errors="replace").strip()
        last = " ".join((said.splitlines() or ["it said nothing"])[-1].split())[:300]
        cause = cause_in(said)
        if cause is not None and cause.name not in ("no answer", "missing"):
            raise told(cause, place=self._log.parent, doing="Prefect's own server does not start", why=last)
        raise ServiceError(
            f"Prefect's own server did not start within {START_S} s ({last}); its words stand in {self._log};"
            f" run with --no-prefect, or set {API_VARIABLE} to a running server"
        )

    def end(self) -> None:
        """End it: it has a moment to write down what it was told."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=6)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def serve(port: int) -> None:
    """Serve Prefect's API until standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    closed = threading.Event()
    threading.Thread(target=_watch, args=(closed,), daemon=True).start()
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals alone."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Server(
        uvicorn.Config(
            "prefect.server.api.server:create_app",
            factory=True,
            host="127.0.0.1",
            port=port,
            log_level="error",
            lifespan="on",
        )
    )

    def end() -> None:
        closed.wait()
        server.should_exit = True
        threading.Timer(ENDING_S, lambda: os._exit(0)).start()

    threading.Thread(target=end, daemon=True).start()
    server.run()
    os._exit(0)  # its workers wait for nobody; what they had was written


def _watch(closed: threading.Event) -> None:
    sys.stdin.buffer.read()
    closed.set()
    threading.Timer(2 * ENDING_S, lambda: os._exit(0)).start()  # still importing, nothing to end in order


if __name__ == "__main__":
    serve(int(sys.argv[1]))
