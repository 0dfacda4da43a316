"""The credentials of a team's services: made once by chance, kept in a file that nobody else may read."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from pathlib import Path


def _word() -> str:
    return secrets.token_hex(16)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What opens each service."""

    postgres_password: str = dataclasses.field(default_factory=_word, repr=False)
    s3_access_key: str = dataclasses.field(default_factory=lambda: f"team{secrets.token_hex(8)}", repr=False)
    s3_secret_key: str = dataclasses.field(default_factory=_word, repr=False)
    mlflow_user: str = "team"
    mlflow_password: str = dataclasses.field(default_factory=_word, repr=False)
    mlflow_server_secret: str = dataclasses.field(default_factory=_word, repr=False)
    prefect_login: str = dataclasses.field(default_factory=lambda: f"team:{_word()}", repr=False)
    ray_token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32), repr=False)


def kept_in(path: Path) -> Credentials:
    """The credentials of a file; made and written there when it is not there yet."""
    if path.is_file():
        return Credentials(**json.loads(path.read_text()))
    made = Credentials()
    write_private(path, json.dumps(dataclasses.asdict(made), indent=1))
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
