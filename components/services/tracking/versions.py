"""What is at the other end of the tracking address: the server's version, a database's schema, and a
mark by which two machines see that they use the same registry.
"""

from __future__ import annotations

import importlib.metadata
import sqlite3
import urllib.parse
from contextlib import closing

from components.core.parts import digest_of
from components.services.tracking import sqlite_registry, store
from components.services.tracking.answers import PATIENCE_S
from components.services.tracking.unnamed import is_used


def is_server() -> bool:
    """Whether tracking goes to a server, and not to a database by itself."""
    return urllib.parse.urlsplit(store.tracking_uri()).scheme in ("http", "https")


def versions() -> tuple[str, str]:
    """The client's version and the server's; the second is empty where there is no server, or it tells
    none.
    """
    ours = importlib.metadata.version("mlflow")
    if not is_server():
        return ours, ""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    store.mlflow()
    uri = store.tracking_uri()
    creds = get_default_host_creds(uri)
    answer = http_request(creds, "/version", "GET", max_retries=0, timeout=PATIENCE_S, raise_on_status=False)
    return ours, answer.text.strip()[:40] if answer.status_code == 200 else ""


def foreign_schema() -> str | None:
    """The schema of a local database that another MLflow made; None where it is ours, or none can be
    read.
    """
    place = sqlite_registry.file_of(store.tracking_uri())
    if place is None or not place.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error as error:
        return f"unreadable: {error}"
    return None if found == [(sqlite_registry.SCHEMA,)] else ", ".join(str(row[0]) for row in found) or "none"


def mark() -> str | None:
    """A short mark of the registry in use, the same from wherever it is asked: of the experiment's
    number and the moment of its making. None where it was never used.
    """
    if not is_used():
        return None
    with store.asking("be read"):
        client = store.mlflow().MlflowClient(tracking_uri=store.tracking_uri())
        found = client.get_experiment_by_name(store.experiment_name())
    return None if found is None else digest_of([found.experiment_id, found.creation_time])[:8]
