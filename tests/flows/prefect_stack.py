"""A real Prefect server with its scheduler and a process worker, on loopback, for as long as a block
lasts; everything in a hurry, so that tests need not wait.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from processes import children_of
from psutil import Process
from tiny_clone import Clone

HURRIED = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
    "DO_NOT_TRACK": "1",
}


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """Gives the server's address."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **HURRIED, "PREFECT_HOME": str(folder)}
    words = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(words, folder, environment, folder / "server.log"):
        until = time.monotonic() + 600
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5):
                break
            time.sleep(0.2)
        else:
            raise AssertionError((folder / "server.log").read_text()[-3000:])
        yield f"http://127.0.0.1:{port}/api"


@contextmanager
def worker(clone: Clone) -> Iterator[subprocess.Popen[bytes]]:
    """`refocus worker` in a clone."""
    words = [sys.executable, "-m", "components.console.cli", "worker"]
    with running(words, clone.root, clone.environment, clone.root / ".refocus" / "worker.log") as process:
        yield process


@contextmanager
def running(
    words: list[str], folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        stream = held.enter_context(log.open("ab"))
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            family = children_of(Process(process.pid)) if process.poll() is None else []
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()
            for each in family:
                with suppress(Exception):
                    each.kill()
