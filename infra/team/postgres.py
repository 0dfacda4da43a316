"""PostgreSQL: a database for MLflow, one for its logins, one for Prefect."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.team.process import Service, TeamError, base_environment

DATABASES = ("mlflow", "mlflow_auth", "prefect")
OWNER = "team"
DEBIANS = Path("/usr/lib/postgresql")


class Postgres(Service):
    """One server with a password, which listens on loopback. It refuses to run as root: there it runs as
    the user `postgres`, who then must be able to enter its folder.
    """

    name = "PostgreSQL"
    ending = signal.SIGINT  # ends its clients, too; the gentler one would wait for them

    def __init__(self, folder: Path, port: int, password: str) -> None:
        super().__init__(folder)
        self._port, self._password = port, password

    @property
    def data(self) -> Path:
        """Its tables."""
        return self.folder / "data"

    def ports(self) -> tuple[int, ...]:
        return (self._port,)

    def address(self, database: str, driver: str = "postgresql") -> str:
        """Where a client finds a database, with the password."""
        return f"{driver}://{OWNER}:{self._password}@127.0.0.1:{self._port}/{database}"

    def user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def prepare(self) -> None:
        self._need_folder()
        if (self.data / "PG_VERSION").is_file():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        told = self.folder / "password"
        told.touch(mode=0o600)
        told.write_text(self._password)
        if (user := self.user()) is not None:
            shutil.chown(told, user, user)
        try:
            done = subprocess.run(
                [program("initdb"), "--pgdata", self.data, "--username", OWNER, "--auth", "scram-sha-256",
                 "--pwfile", told, "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"],
                user=user, group=user, extra_groups=None if user is None else [], cwd=self.folder,
                env=base_environment(), capture_output=True, text=True, check=False,
            )  # fmt: skip
        finally:
            told.unlink()
        if done.returncode != 0:
            raise TeamError(f"PostgreSQL's initdb ended with: {done.stderr.strip()[-300:]}")

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.data), "-p", str(self._port), *chosen]

    def answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.address("postgres"), connect_timeout=3):
                return True
        except psycopg.OperationalError:
            return False

    def settle(self) -> None:
        import psycopg

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for database in DATABASES:
                if database not in there:
                    connection.execute(f"CREATE DATABASE {database}".encode())

    def _need_folder(self) -> None:
        user = self.user()
        if user is None:
            return
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise TeamError(
                'PostgreSQL does not run as root, and there is no user "postgres" to run it as; install'
                " PostgreSQL by the system's package manager, or be another user"
            ) from None
        shutil.chown(self.folder, user, user)
        tried = subprocess.run(
            ["test", "-w", self.folder], user=user, group=user, extra_groups=[], check=False, cwd="/"
        )
        if tried.returncode != 0:
            raise TeamError(
                f'PostgreSQL runs as the user "postgres", who cannot enter {self.folder}; name a folder that'
                " everybody may enter: make team TEAM=/srv/refocus-team"
            )


def program(name: str) -> str:
    """One of PostgreSQL's programs; Debian keeps them out of the PATH. Raises TeamError without one."""
    there = shutil.which(name)
    if there is None:
        found = sorted(DEBIANS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
        there = str(found[-1]) if found else None
    if there is None:
        raise TeamError(f"PostgreSQL is not installed (no {name}); on Debian: apt-get install postgresql")
    return there
