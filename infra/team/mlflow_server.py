"""The MLflow server: tables and logins in PostgreSQL, artifacts in the S3 store; its clients need no keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from infra.team.credentials import Credentials, write_private
from infra.team.postgres import Postgres
from infra.team.process import Service, TeamError, base_environment, get
from infra.team.s3 import SeaweedFS

LOGINS = """[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = {user}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


class MLflowServer(Service):
    """The tracking server and registry, with a login."""

    name = "the MLflow server"
    ends_children = False

    def __init__(
        self, folder: Path, port: int, credentials: Credentials, postgres: Postgres, s3: SeaweedFS
    ) -> None:
        super().__init__(folder, postgres, s3)
        self._port, self._credentials, self._postgres, self._s3 = port, credentials, postgres, s3

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._port}"

    def client_variables(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": self._credentials.mlflow_user,
            "MLFLOW_TRACKING_PASSWORD": self._credentials.mlflow_password,
        }

    def ports(self) -> tuple[int, ...]:
        return (self._port,)

    def prepare(self) -> None:
        write_private(
            self._logins,
            LOGINS.format(
                database=self._postgres.address("mlflow_auth", "postgresql+psycopg"),
                user=self._credentials.mlflow_user,
            ),
        )
        self._bring_tables_up_to_date()

    def variables(self) -> dict[str, str]:
        return self._s3.client_variables() | {
            "MLFLOW_BACKEND_STORE_URI": self._postgres.address("mlflow", "postgresql+psycopg"),
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://mlflow/artifacts",
            "MLFLOW_AUTH_CONFIG_PATH": str(self._logins),
            "MLFLOW_AUTH_ADMIN_USERNAME": self._credentials.mlflow_user,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._credentials.mlflow_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._credentials.mlflow_server_secret,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def command(self) -> Sequence[str]:
        return [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port),
            "--app-name", "basic-auth", "--workers", "1",
        ]  # fmt: skip

    def answers(self) -> bool:
        """Whether the API (and not only /health) answers with the login."""
        login = f"{self._credentials.mlflow_user}:{self._credentials.mlflow_password}"
        return get(f"{self.address}/api/2.0/mlflow/experiments/get?experiment_id=0", login) == 200

    def settle(self) -> None:
        self._tables.write_text(version("mlflow"))

    @property
    def _logins(self) -> Path:
        return self.folder / "logins.ini"

    @property
    def _tables(self) -> Path:
        return self.folder / "tables-of-version"

    def _bring_tables_up_to_date(self) -> None:
        """A newer MLflow refuses older tables; those of nobody yet it makes itself."""
        if not self._tables.is_file() or self._tables.read_text() == version("mlflow"):
            return
        address = self._postgres.address("mlflow", "postgresql+psycopg")
        done = subprocess.run(
            [sys.executable, "-m", "infra.team.tables"],
            env=base_environment() | {"MLFLOW_BACKEND_STORE_URI": address},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise TeamError(f"MLflow's tables could not be brought up to date: {done.stderr.strip()[-300:]}")
