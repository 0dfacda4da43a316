"""A Ray cluster of two nodes on this machine, protected by a token, each with folders of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from processes import wait_for

TOKEN = "the-token-of-this-cluster-0123456789"


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass
class TwoNodes:
    """A cluster: its addresses, and the nodes that were started for it."""

    place: Path
    head_port: int
    page_port: int
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to join; RAY_ADDRESS is the page for who stays outside."""
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_ADDRESS": f"127.0.0.1:{self.head_port}",
        }

    def start(self, name: str, *more: str, cpus: int = 2, gpus: int = 0, **variables: str) -> None:
        """Start a node; the first is the head."""
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--num-cpus={cpus}"]
        command += [f"--num-gpus={gpus}", "--object-store-memory=80000000", "--disable-usage-stats"]
        command += [f"--temp-dir={self.place / name}", *more]
        for port in ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export", "runtime-env-agent"):
            command.append(f"--{port}-port={free_port()}")
        if not self.nodes:
            command += ["--head", f"--port={self.head_port}", "--include-dashboard=true"]
            command += ["--dashboard-host=127.0.0.1", f"--dashboard-port={self.page_port}"]
            command += [f"--ray-client-server-port={free_port()}"]
        else:
            command += [f"--address=127.0.0.1:{self.head_port}"]
        home = self.place / f"{name}-state"
        home.mkdir(exist_ok=True)
        own = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "REFOCUS_HOME": str(home)}
        own |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **variables}
        own["PATH"] = os.pathsep.join(
            [str(Path(sys.executable).parent), own["PATH"]]
        )  # as where it is activated
        with (self.place / f"{name}.log").open("wb") as log:
            self.nodes[name] = subprocess.Popen(
                command, env=own, cwd=home, stdout=log, stderr=log, start_new_session=True
            )

    def begin(self, name: str, *more: str, gpus: int = 0, **variables: str) -> None:
        """Start a node and wait until it is there. Ray gives one up after 30 s, which are not enough where
        much else is at work: then once more.
        """
        wanted = len(self.nodes) + 1
        for _ in range(3):
            self.start(name, *more, gpus=gpus, **variables)
            node = self.nodes[name]
            wait_for(partial(self._is_settled, node, wanted), 180)
            if node.poll() is None and self.alive() >= wanted:
                return
            self.end(name)
            shutil.rmtree(self.place / name, ignore_errors=True)
        raise AssertionError((self.place / f"{name}.log").read_text())

    def _is_settled(self, node: subprocess.Popen[bytes], wanted: int) -> bool:
        return node.poll() is not None or self.alive() >= wanted

    def alive(self) -> int:
        """How many nodes the page knows as alive."""
        try:
            text = self.get("/api/v0/nodes")
        except (urllib.error.URLError, OSError):
            return 0
        return text.count('"state": "ALIVE"')

    def get(self, path: str) -> str:
        """What the page answers to who has the token."""
        asked = urllib.request.Request(self.page + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return str(answer.read().decode())

    def end(self, name: str) -> None:
        """kill -9 for a node and all that it started."""
        node = self.nodes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        for process in _of(self.place / name):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        node.wait()

    def files_with(self, words: Mapping[str, str]) -> list[str]:
        """Files below the nodes' folders that hold one of the values."""
        values = [value.encode() for value in words.values()]
        return [
            str(path)
            for path in self.place.rglob("*")
            if path.is_file() and not path.is_symlink() and any(each in path.read_bytes() for each in values)
        ]


def _of(folder: Path) -> list[int]:
    """Processes that have a folder in their command lines."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process.pid)
    return found


@contextmanager
def two_nodes(*, gpus: int = 1, **variables: str) -> Iterator[TwoNodes]:
    """The cluster for the length of a block: a head without a GPU, and a node that says it has some."""
    place = Path(tempfile.mkdtemp(prefix="rf2-", dir="/tmp"))
    cluster = TwoNodes(place, free_port(), free_port())
    try:
        cluster.begin("a", **variables)
        cluster.begin("b", "--node-ip-address=127.0.0.2", gpus=gpus, **variables)
        yield cluster
    finally:
        for name in reversed(list(cluster.nodes)):
            cluster.end(name)
        shutil.rmtree(place, ignore_errors=True)
