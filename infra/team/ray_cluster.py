"""A Ray cluster of nodes that share no folder, as processes of this machine, opened by a token."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.team.credentials import write_private
from infra.team.fence import Fence, blind
from infra.team.process import Service, get

OBJECT_STORE_BYTES = 100_000_000
HEAD_PORT, PAGE_INSIDE = 6379, 8265


class RayNode(Service):
    """One node; the first (number 0) is the head, whose page takes in jobs.

    head: the first node, for the others.
    fence: the network that all nodes are in, as Ray's own ports listen on every interface; None where none
    can be made (then only the token protects them).
    hidden: folders that this node sees empty.
    variables: what its workers find in their environment (addresses, credentials); asked when it starts.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        page: int,
        token: str,
        head: RayNode | None = None,
        fence: Fence | None,
        cpus: int = 2,
        hidden: Sequence[Path] = (),
        variables: Callable[[], dict[str, str]] = dict,
    ) -> None:
        super().__init__(folder, fence, head)
        self.name = f"Ray's {'head' if number == 0 else 'node'} ({folder.name})"
        self._number, self._page, self._token, self._fence = number, page, token, fence
        self._cpus, self._hidden, self._given = cpus, tuple(hidden), variables

    @property
    def address(self) -> str:
        """Where jobs are sent to."""
        return f"http://127.0.0.1:{self._page}"

    @property
    def ip(self) -> str:
        """The address that the other nodes know it by; each has its own of loopback."""
        return f"127.0.0.{self._number + 2}"

    def client_variables(self) -> dict[str, str]:
        """What a driver outside of the cluster needs."""
        return {"RAY_ADDRESS": self.address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token}

    def ports(self) -> tuple[int, ...]:
        return () if self._fence or self._number else (self._page,)

    def prepare(self) -> None:
        write_private(self._key, self._token)

    def variables(self) -> dict[str, str]:
        return {
            "REFOCUS_HOME": str(self.folder / "state"),
            **self._given(),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._key),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "RAY_CHDIR_TO_TRIAL_DIR": "0",
            "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",
        }

    def command(self) -> Sequence[str]:
        page = PAGE_INSIDE if self._fence else self._page
        head = [
            "--head", f"--port={HEAD_PORT}", "--dashboard-host=127.0.0.1", f"--dashboard-port={page}",
        ]  # fmt: skip
        words = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
            *(head if self._number == 0 else [f"--address=127.0.0.2:{HEAD_PORT}"]),
            f"--node-ip-address={self.ip}", f"--temp-dir={self.folder}", f"--num-cpus={self._cpus}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            f"--dashboard-agent-listen-port={52365 + self._number}",
            f"--min-worker-port={20000 + 1000 * self._number}",
            f"--max-worker-port={20999 + 1000 * self._number}",
        ]  # fmt: skip
        return self._fence.enter(words, self._hidden) if self._fence else blind(words, self._hidden)

    def answers(self) -> bool:
        """Whether jobs are taken in, with the token, and this node is one of those that live."""
        if get(f"{self.address}/api/jobs/", token=self._token) != 200:
            return False
        return self.ip in living(self.address, self._token)

    @property
    def _key(self) -> Path:
        return self.folder / "token"


def living(address: str, token: str) -> set[str]:
    """The addresses of a cluster's nodes that live."""
    asked = urllib.request.Request(f"{address}/api/v0/nodes", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
            nodes = json.load(answer)["data"]["result"]["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {node["node_ip"] for node in nodes if node["state"] == "ALIVE"}
