"""Where the tracking store is: $MLFLOW_TRACKING_URI, or a SQLite file in the state folder. Its
first use, and what to say when it does not answer.
"""

from __future__ import annotations

import logging
import os
import random
import time
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from components.core.addresses import shown, sqlite_address
from components.core.causes import cause_of, told
from components.core.errors import InputError, RefocusError, ServiceError
from components.core.files import state_folder
from components.core.locks import locked
from components.core.surroundings import keep_loopback_direct
from components.services.tracking import answers, server_registry
from components.services.tracking.answers import URI_VARIABLE, first_line

EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
REGISTRY_VARIABLE = "MLFLOW_REGISTRY_URI"
ACTOR_VARIABLE = "REFOCUS_ACTOR"
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
PATIENCE_S = answers.PATIENCE_S
WRITES = 8  # of one row, while others write the same
_THERE_ALREADY = ("unique constraint", "duplicate key")  # SQLite's words and Postgres'
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
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",  # a minute in all: a server may be restarted meanwhile
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def tracking_uri() -> str:
    """$MLFLOW_TRACKING_URI, or the SQLite file mlflow.db in the state folder."""
    return os.environ.get(URI_VARIABLE) or sqlite_address(state_folder() / "mlflow.db")


def is_on_this_machine() -> bool:
    """Whether the tracking store is a file, which no other machine reaches."""
    return tracking_uri().startswith("sqlite")


def is_shared() -> bool:
    """Whether others may use the same store: it was named, by the variable."""
    return bool(os.environ.get(URI_VARIABLE))


def shown_uri() -> str:
    """The tracking address as it may be shown: without user and password, and a file's as its path."""
    return shown(tracking_uri()) if os.environ.get(URI_VARIABLE) else str(state_folder() / "mlflow.db")


def login() -> str | None:
    """The name by which we are known to the server, if it wants one."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME") if os.environ.get(URI_VARIABLE) else None


def named_actor() -> str | None:
    """$REFOCUS_ACTOR: who is to be named as the one who trained or decided."""
    return os.environ.get(ACTOR_VARIABLE)


def is_unused() -> bool:
    """Whether nothing was ever tracked here: the store is a file of our own that is not there yet."""
    return not os.environ.get(URI_VARIABLE) and not (state_folder() / "mlflow.db").is_file()


def experiment_name() -> str:
    """$MLFLOW_EXPERIMENT_NAME, or refocus."""
    return os.environ.get(EXPERIMENT_VARIABLE) or "refocus"


@cache
def mlflow() -> Any:
    """MLflow itself, imported once and kept quiet."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    keep_loopback_direct()
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
    same store. The environment stays as it was: MLflow would leave both addresses in it, where a file of
    our own would look like a store that was named, to us and to whatever is started next.
    """
    prepare()
    package, address = mlflow(), tracking_uri()
    found = {name: os.environ.get(name) for name in (URI_VARIABLE, REGISTRY_VARIABLE)}
    package.set_tracking_uri(address)
    package.set_registry_uri(address)
    for name, value in found.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return package.MlflowClient(tracking_uri=address, registry_uri=address)


def prepare() -> None:
    """Make the tracking store ready for use; call it before work that will log.

    Raises ServiceError when the address does not answer: in seconds where nobody listens, within a
    minute where somebody does; InputError when it is none that MLflow can use.
    """
    experiment(tracking_uri(), experiment_name())


def need_answer() -> None:
    """Refuse an address that does not answer, or is none that MLflow can use, as `prepare` does;
    MLflow is imported only where a server has to be asked twice.
    """
    _answering(tracking_uri())


@cache
def _answering(uri: str) -> str:
    """The kind of address (sqlite, http, postgresql …), once it is known to answer."""
    began = time.monotonic()
    scheme = urllib.parse.urlsplit(uri).scheme.split("+")[0]
    if scheme not in {"sqlite", *answers.DEFAULT_PORTS}:
        raise InputError(
            f"{URI_VARIABLE} is {shown_uri()!r}; it must be http(s)://HOST:PORT of an MLflow server, or a"
            " sqlite:///, postgresql:// or mysql:// database. Unset it to track in a SQLite file beside the"
            " project"
        )
    if scheme != "sqlite":
        answers.need_listener(uri, scheme)
    elif not os.environ.get(URI_VARIABLE):
        answers.need_file(state_folder() / "mlflow.db")
    waited_s = time.monotonic() - began
    if scheme in ("http", "https") and not server_registry.answers(uri):
        mlflow()  # takes its time on a slow machine, which is none of the server's
        answers.need_server(uri, max(PATIENCE_S - waited_s, 1.0))
    return scheme


@cache
def experiment(uri: str, name: str) -> str:
    """The id of the experiment that holds our runs, made at first use; once per process and
    address.
    """
    scheme, package = _answering(uri), mlflow()
    lock = state_folder() / "locks" / "tracking.lock"
    if scheme == "sqlite" and not os.environ.get(URI_VARIABLE):
        # MLflow pastes the place of its unused default experiment into SQL, as it is; as an address
        # it holds no quote.
        os.environ[ARTIFACT_ROOT] = (state_folder() / "mlartifacts").as_uri()
    # Two processes that meet a fresh SQLite file at once leave it broken for good.
    with asking("be opened"), locked(lock, patience_s=120):
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


def write_again(write: Callable[..., object], *arguments: object) -> None:
    """A write that may be done twice: where somebody else made the same row between MLflow's look and its
    own insertion, it is done again, and finds that row.
    """
    for left in reversed(range(WRITES)):
        try:
            write(*arguments)
            return
        except Exception as error:
            if not left or not any(words in str(error).lower() for words in _THERE_ALREADY):
                raise
            time.sleep(random.uniform(0.01, 0.1))


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
        cause = cause_of(error)
        if cause is not None and cause.name not in ("missing", "in the way", "no answer", "proxy"):
            place = state_folder() if tracking_uri().startswith("sqlite") else None
            doing = f"the tracking store at {shown_uri()} could not {what}"
            raise told(cause, place=place, doing=doing, why=first_line(str(error))) from error
        remedy = "look at the disk and the address, then run the same command again"
        if "out-of-date database schema" in str(error):
            address = shown(tracking_uri())
            remedy = f"it was made by another MLflow; back it up, then run: mlflow db upgrade {address}"
        raise ServiceError(
            f"the tracking store at {shown_uri()} could not {what}: {first_line(str(error))}; {remedy}"
        ) from error
