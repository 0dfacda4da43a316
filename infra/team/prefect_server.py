"""Prefect's server on PostgreSQL with a login, and a worker of its pool on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.team.postgres import Postgres
from infra.team.process import CHECKOUT, Service, get

POOL = "refocus"


class PrefectServer(Service):
    """The API, the schedules and the page."""

    name = "the Prefect server"

    def __init__(self, folder: Path, port: int, login: str, postgres: Postgres) -> None:
        super().__init__(folder, postgres)
        self._port, self._login, self._postgres = port, login, postgres

    @property
    def address(self) -> str:
        """Where clients find its API."""
        return f"http://127.0.0.1:{self._port}/api"

    def client_variables(self) -> dict[str, str]:
        """What a client needs."""
        return {"PREFECT_API_URL": self.address, "PREFECT_API_AUTH_STRING": self._login}

    def ports(self) -> tuple[int, ...]:
        return (self._port,)

    def variables(self) -> dict[str, str]:
        return {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self._postgres.address("prefect", "postgresql+asyncpg"),
            "PREFECT_SERVER_API_AUTH_STRING": self._login,
            "PREFECT_API_AUTH_STRING": self._login,  # its own services are clients, too
            "PREFECT_API_URL": self.address,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": self.address.removesuffix("/api"),
        }

    def command(self) -> Sequence[str]:
        words = ("server", "start", "--host", "127.0.0.1", "--port", str(self._port))
        return [sys.executable, "-m", "prefect", *words]

    def answers(self) -> bool:
        """Whether the API answers with the login, from the database."""
        return (
            get(f"{self.address}/admin/version", self._login)
            == 200
            == get(f"{self.address}/ready", self._login)
        )


class PrefectWorker(Service):
    """`refocus worker` in a checkout: takes scheduled runs and runs them there. variables: what they find
    in their environment, asked when it is started.
    """

    name = "the Prefect worker"

    def __init__(
        self,
        folder: Path,
        server: PrefectServer,
        login: str,
        variables: Callable[[], dict[str, str]],
        checkout: Path = CHECKOUT,
    ) -> None:
        super().__init__(folder, server)
        self._server, self._login, self._given, self._checkout = server, login, variables, checkout

    def place(self) -> Path:
        return self._checkout

    def variables(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(self._checkout),
            "PREFECT_WORKER_QUERY_SECONDS": "3",
            **self._given(),
            **self._server.client_variables(),
        }

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "components.console.cli", "worker"]

    def answers(self) -> bool:
        """Whether its pool is there and a worker has said that it lives."""
        return get(f"{self._server.address}/work_pools/{POOL}", self._login) == 200
