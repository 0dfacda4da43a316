"""A table beside a model to which rows are only ever added: the registered model NAME.decisions.

MLflow gives the versions of a model growing numbers, each to one caller, whoever asks at once and from
whatever machine: that is the one thing in it which many writers can agree upon. So a row is a version
of that model: its number is its place in the order, its tags are its columns, and its source names
the version of NAME that it is about. The registry's page shows the rows like any other model's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

from components.core.errors import LineageError, ServiceError
from components.services.tracking import registry, store
from components.services.tracking.registry import Version

SUFFIX = ".decisions"  # no model of ours has a dot in its name
OPEN = "refocus.open"
_ATTEMPTS = 40
_BUSY = ("giving up after", "database is locked", "deadlock", "could not serialize")


def add_row(name: str, about: int | None, tags: Mapping[str, str], words: str) -> int:
    """Add a row about version `about` of a model, or about no version; gives its number, larger than all
    before it.

    Raises LineageError when the model has no such version, ServiceError when the registry answers
    nobody.
    """
    client, ledger = store.client(), name + SUFFIX
    _make(client, ledger, f"What was done about {name}, one a version, in its order; made by refocus.")
    source = f"refocus://decisions/{name}"  # a server takes no path that is not absolute
    if about is not None:
        registry.get_version(name, about)  # says in words that it is not there
        source = f"models:/{name}/{about}"
    for attempt in range(_ATTEMPTS):
        try:
            with store.asking("take a decision"):
                row = client.create_model_version(
                    ledger, source, None, tags={**tags, OPEN: "true"}, description=words
                )
            return int(row.version)
        except ServiceError as error:
            # Many at once: the store tries a few numbers by itself, then it gives up.
            if attempt + 1 == _ATTEMPTS or not any(word in str(error).lower() for word in _BUSY):
                raise
            time.sleep(random.uniform(0.02, 0.3))
    raise AssertionError("the last attempt raises")


def rows(name: str, *, only_open: bool = False) -> tuple[Version, ...]:
    """The rows of a model, oldest first; none when nothing was ever decided."""
    words = f"name = '{name}{SUFFIX}'" + (f" and tags.`{OPEN}` = 'true'" if only_open else "")
    found = registry.search(words)
    return tuple(sorted(found, key=lambda row: row.number))


def newest_rows(name: str) -> Iterator[Version]:
    """The rows of a model, newest first, fetched as they are asked for: a ledger only ever grows."""
    return registry.searched(f"name = '{name}{SUFFIX}'")


def row(name: str, number: int) -> Version:
    """One row as it stands now. Raises LineageError when somebody deleted it."""
    try:
        return registry.get_version(name + SUFFIX, number)
    except LineageError as error:
        raise LineageError(
            f"row {number} of {name}{SUFFIX}, which holds the decisions about {name}, was deleted from the"
            " registry while it was in use; run the same command again"
        ) from error


def note(name: str, number: int, tags: Mapping[str, str], words: str | None = None) -> None:
    """Write columns of a row, and its words where they are given."""
    registry.add_tags(name + SUFFIX, number, tags)
    if words is not None:
        client = store.client()
        with store.asking("take a decision"):
            client.update_model_version(name + SUFFIX, str(number), words)


def models() -> tuple[str, ...]:
    """The names of the models in the registry, without the tables beside them."""
    if store.is_unused():
        return ()
    client = store.client()
    with store.asking("be searched"):
        found = client.search_registered_models(max_results=1000)
    return tuple(model.name for model in found if not model.name.endswith(SUFFIX))


def _make(client: Any, ledger: str, about: str) -> None:
    package = store.mlflow()
    with store.asking("make the table of decisions"):
        try:
            client.create_registered_model(ledger, description=about)
        except package.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
