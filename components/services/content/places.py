"""The places in buckets that a team shares: its store, and the states of its trainings."""

from __future__ import annotations

import os

from components.services.cluster import other_machines
from components.services.content.store import ContentStore

_STATES = "REFOCUS_TRAINING_STORAGE"


def states_named() -> str | None:
    """The folder or s3:// address for states of trainings that the environment names."""
    return os.environ.get(_STATES) or None


def states_refused(why: str) -> str:
    """A sentence about that variable: NAME=VALUE and why it cannot be."""
    return f"{_STATES}={states_named()} {why}"


def states_in_store() -> str | None:
    """Where the states of trainings on a cluster lie in the team's store, if there is one."""
    store = ContentStore.of_environment()
    return None if store is None else f"{store.uri.rstrip('/')}/training"


def store_of_nodes(what: str) -> ContentStore | None:
    """The store by which the nodes of the cluster that has been joined get data; None where all of them are
    this machine. what: the data that they do not see otherwise. Raises InputError where one is needed.
    """
    store = ContentStore.of_environment()
    if store is None and (others := other_machines()):
        ContentStore.needed(
            f"the Ray cluster has other machines ({', '.join(others[:3])}), which do not see {what}"
        )
    return store


def shared_places() -> dict[str, str]:
    """What a team's machines must all reach, by what it is for."""
    store = ContentStore.of_environment()
    found = {"team's store": None if store is None else store.uri, "states of trainings": states_named()}
    return {name: place for name, place in found.items() if place}
