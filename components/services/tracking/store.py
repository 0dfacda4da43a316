"""Where the tracking store is: $MLFLOW_TRACKING_URI, or a SQLite file in the state folder. Its
first use, and what to say when it does not answer.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
import urllib.parse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from components.core.errors import InputError, RefocusError, ServiceError
from components.core.files import state_folder

URI_VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
PATIENCE_S = 5.0
# Nothing is sent home, nothing asks a package index, and no project file of the checkout slips into
# a model.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOG_UV_FILES": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def tracking_uri() -> str:
    """$MLFLOW_TRACKING_URI, or the SQLite file mlflow.db in the state folder."""
    return os.environ.get(URI_VARIABLE) or f"sqlite:///{(state_folder() / 'mlflow.db').as_posix()}"


def shown_uri() -> str:
    """The tracking address as it may be shown: without user and password."""
    return re.sub(r"//[^/@]*@", "//", tracking_uri())


def experiment_name() -> str:
    """$MLFLOW_EXPERIMENT_NAME, or refocus."""
    return os.environ.get(EXPERIMENT_VARIABLE) or "refocus"


@cache
def mlflow() -> Any:
    """MLflow itself, imported once and kept quiet."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        # Deprecations between MLflow and its own dependencies are no news to who uses Refocus.
        warnings.simplefilter("ignore")
        import mlflow as package
        import mlflow.pyfunc
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store
        import mlflow.system_metrics.system_metrics_monitor
        import mlflow.types
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return package


def client() -> Any:
    """An MlflowClient for the prepared store; fluent MLflow calls made by a model's file go to the
    same store.
    """
    prepare()
    package = mlflow()
    package.set_tracking_uri(tracking_uri())
    package.set_registry_uri(tracking_uri())
    return package.MlflowClient(tracking_uri=tracking_uri(), registry_uri=tracking_uri())


def prepare() -> None:
    """Make the tracking store ready for use; call it before work that will log.

    Raises ServiceError within about 5 s, and what MLflow's import takes, when the address does not
    answer, InputError when it is none that MLflow can use.
    """
    experiment(tracking_uri(), experiment_name())


def need_answer() -> None:
    """Refuse an address that does not answer, or is none that MLflow can use, as `prepare` does;
    MLflow is imported for a server only.
    """
    _answering(tracking_uri())


@cache
def _answering(uri: str) -> str:
    """The kind of address (sqlite, http, postgresql …), once it is known to answer."""
    began = time.monotonic()
    scheme = urllib.parse.urlsplit(uri).scheme.split("+")[0]
    if scheme not in {"sqlite", *_DEFAULT_PORTS}:
        raise InputError(
            f"{URI_VARIABLE} is {shown_uri()!r}; it must be http(s)://HOST:PORT of an MLflow server, or a"
            " sqlite:///, postgresql:// or mysql:// database. Unset it to track in a SQLite file beside the"
            " project"
        )
    if scheme != "sqlite":
        _reach(uri, scheme)
    waited_s = time.monotonic() - began
    if scheme in ("http", "https"):
        mlflow()  # takes its time on a slow machine, which is none of the server's
        _ask(uri, max(PATIENCE_S - waited_s, 1.0))
    return scheme


@cache
def experiment(uri: str, name: str) -> str:
    """The id of the experiment that holds our runs, made at first use; once per process and
    address.
    """
    scheme, package = _answering(uri), mlflow()
    lock = state_folder() / "locks" / "tracking.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that meet a fresh SQLite file at once leave it broken for good.
    with asking("be opened"), FileLock(lock, timeout=120):
        return _experiment_id(package.MlflowClient(tracking_uri=uri), name, scheme)


def _experiment_id(client: Any, name: str, scheme: str) -> str:
    # Without a server, artifacts lie where the experiment says, as an absolute path: it must be
    # ours, not the working directory.
    wanted = None if scheme in ("http", "https") else (state_folder() / "mlartifacts").as_uri()
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=wanted))
    if found.lifecycle_stage != "active":
        raise InputError(
            f"the MLflow experiment {name!r} at {shown_uri()} was deleted; restore it, or set"
            f" {EXPERIMENT_VARIABLE} to another name"
        )
    kept = str(found.artifact_location)
    if scheme == "sqlite" and kept.startswith("file:") and _is_anothers(_local(kept)):
        raise InputError(
            f"the tracking database at {shown_uri()} is a copy: its files are those of the project at"
            f" {_local(kept).parent}, which is still there and has a database of its own. Delete the copy to"
            f" begin a fresh one, or set {URI_VARIABLE} to the original"
        )
    if scheme == "sqlite" and kept.startswith("file:") and kept != wanted and not _local(kept).is_dir():
        raise InputError(
            f"the tracking database at {shown_uri()} keeps its files at {_local(kept)}, which is gone: the"
            " project was moved. Move it back (or link the old place to the new one), or rename the database"
            " to begin a fresh one"
        )
    return str(found.experiment_id)


def _is_anothers(files: Path) -> bool:
    """Whether a folder of artifacts lies beside the database of another project: this one was copied."""
    beside = files.parent / "mlflow.db"
    ours = state_folder() / "mlflow.db"
    return beside.is_file() and ours.is_file() and not beside.samefile(ours)


def _local(uri: str) -> Path:
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(uri).path))


def _reach(uri: str, scheme: str) -> None:
    """Open and close one connection, so that a dead address is told in seconds and not after
    MLflow's minutes of retries.
    """
    parts = urllib.parse.urlsplit(uri)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or _DEFAULT_PORTS[scheme]), timeout=PATIENCE_S
        ).close()
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"the MLflow address {shown_uri()} does not answer ({error}); start the server, correct"
            f" {URI_VARIABLE}, or unset it to track in a SQLite file beside the project"
        ) from error


def _ask(uri: str, patience_s: float) -> None:
    """Ask a server for something real: /health says yes even where every other request is refused."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            get_default_host_creds(uri),
            "/api/2.0/mlflow/experiments/search",
            "GET",
            max_retries=0,
            timeout=patience_s,
            raise_on_status=False,
            params={"max_results": 1},
        )
    except Exception as error:
        raise ServiceError(
            f"{shown_uri()} took the connection but gave no answer in {patience_s:.0f} s; is it an MLflow"
            f" server? Correct {URI_VARIABLE} or restart the server"
        ) from error
    if answer.status_code == 200:
        return
    remedy = {
        401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        403: (
            "the user may lack permission, or the server refuses this host name: add it to the server's"
            " MLFLOW_SERVER_ALLOWED_HOSTS"
        ),
        404: "that is no MLflow server",
    }.get(answer.status_code, "look at the server's log")
    raise ServiceError(
        f"the MLflow server at {shown_uri()} answered {answer.status_code} ({_first_line(answer.text)});"
        f" {remedy}"
    )


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what MLflow raises inside the block into one sentence: the store could not `what`, and
    why.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RefocusError:
        raise
    except Exception as error:
        remedy = "look at the disk and the address, then run the same command again"
        if "out-of-date database schema" in str(error):
            remedy = f"it was made by another MLflow; back it up, then run: mlflow db upgrade {shown_uri()}"
        raise ServiceError(
            f"the tracking store at {shown_uri()} could not {what}: {_first_line(str(error))}; {remedy}"
        ) from error


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:300]
