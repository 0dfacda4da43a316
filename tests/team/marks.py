"""Whether credentials are where they must not be: files, databases, the store, git's objects, answers."""

from __future__ import annotations

import base64
import dataclasses
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import boto3
import psycopg

from infra.team.credentials import Credentials
from infra.team.postgres import DATABASES, Postgres

CHUNK = 1 << 22
# Files that are there to hold credentials; each must be its owner's alone.
HOLDERS = ("credentials.json", "env.sh", "logins.ini", "token")


class Marks:
    """The credentials of a team, in every form that they travel in."""

    def __init__(self, credentials: Credentials) -> None:
        plain = {
            name: value
            for name, value in dataclasses.asdict(credentials).items()
            if name not in ("mlflow_user", "s3_access_key")  # names, as it were: whoever asks says them
        }
        plain["prefect_password"] = credentials.prefect_login.partition(":")[2]
        logins = {
            "prefect_basic": credentials.prefect_login,
            "mlflow_basic": f"{credentials.mlflow_user}:{credentials.mlflow_password}",
        }
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in logins.items()}
        self._marks = {name: value.encode() for name, value in (plain | encoded).items()}

    def of(self, content: bytes | str) -> list[str]:
        """The names of the credentials that stand in it."""
        told = content.encode() if isinstance(content, str) else content
        return [name for name, mark in self._marks.items() if mark in told]

    def in_files(self, folder: Path) -> list[str]:
        """Where they stand below a folder, but for the files that hold them for their owner alone."""
        found = []
        for path in _files(folder):
            try:
                content = path.read_bytes()
            except OSError:  # gone meanwhile
                continue
            if path.name in HOLDERS and not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                continue
            found += [f"{name} in {path}" for name in self.of(content)]
        return found

    def in_databases(self, postgres: Postgres) -> list[str]:
        """Where they stand in the tables of MLflow, of its logins and of Prefect."""
        found = []
        for database in DATABASES:
            with psycopg.connect(postgres.address(database)) as connection:
                tables = connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                ).fetchall()
                for (table,) in tables:
                    with connection.cursor().copy(f'COPY "{table}" TO STDOUT'.encode()) as rows:
                        for row in rows:
                            found += [f"{name} in {database}.{table}" for name in self.of(bytes(row))]
        return found

    def in_store(self, buckets: Iterable[str]) -> list[str]:
        """Where they stand in the names and the bytes of objects."""
        client = boto3.session.Session().client("s3")
        found = []
        for bucket in buckets:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", ()):
                    content = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                    found += [f"{name} in s3://{bucket}/{item['Key']}" for name in self.of(content)]
                    found += [f"{name} in the name {item['Key']}" for name in self.of(item["Key"])]
        return found

    def in_git(self, root: Path) -> list[str]:
        """Where they stand in any object of a repository, in its references and its settings."""
        everything = subprocess.run(
            ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=root, capture_output=True, check=True
        ).stdout
        references = subprocess.run(["git", "for-each-ref"], cwd=root, capture_output=True, check=True).stdout
        return [f"{name} in git" for name in self.of(everything + references)]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30:
            yield path
