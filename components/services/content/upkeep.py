"""What lies in the team's store, and what of it rests on what: for `refocus clean` and `refocus doctor`.

Nothing in a store says who needs it. Who uses a set, a file or a shard that lies there already makes it
young again (storage.renew), so that its age is the time since its last use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from components.core.errors import LineageError
from components.services import storage
from components.services.content.packing import Index
from components.services.content.store import RENEWED_S, ContentStore

SETS, FILES, SHARDS, JOBS = KINDS = ("sets", "files", "shards", "jobs")


@dataclass(frozen=True)
class Stored:
    """One thing in the store. name: its digest, or the job's name; at_s: its last use (seconds since 1970);
    objects: how it is called there, below the store.
    """

    kind: str
    name: str
    bytes: int
    at_s: float
    objects: tuple[str, ...]


def stored(store: ContentStore, *, at_most: int | None = None) -> tuple[Stored, ...]:
    """All that this program puts there, but for states of trainings; whatever else lies there is not ours.
    at_most: objects that are looked at.

    Raises ServiceError when the store does not answer.
    """
    found: dict[tuple[str, str], list[tuple[str, int, float]]] = {}
    for name, size, at_s in storage.list_dated(store.uri, at_most=at_most):
        kind, _, rest = name.partition("/")
        if kind in KINDS and rest:
            found.setdefault((kind, rest.partition("/")[0]), []).append((name, size, at_s))
    return tuple(
        Stored(
            kind,
            name,
            sum(size for _, size, _ in rows),
            max(at_s for *_, at_s in rows),
            tuple(each for each, *_ in rows),
        )
        for (kind, name), rows in found.items()
    )


def shards_of_sets(store: ContentStore, digests: Iterable[str]) -> Iterator[str]:
    """SHA-256 of each shard of these sets. Raises LineageError when an index cannot be read."""
    for digest in digests:
        yield from (shard.sha256 for shard in store.index(digest).shards)


def shards_in_head(head: str, called: str) -> Iterator[str]:
    """SHA-256 of each shard that the first line of a list of shards names. Raises LineageError when it is
    none.
    """
    try:
        yield from (str(shard["sha256"]) for shard in json.loads(head)["shards"])
    except (ValueError, KeyError, TypeError) as error:
        raise LineageError(f"{called} is no list of shards") from error


def renewed(store: ContentStore, index: Index) -> bool:
    """Whether every shard of a set is there; all are young from now on."""
    addresses = [(storage.join(store.uri, f"{SHARDS}/{each.sha256}"), each.sha256) for each in index.shards]
    return all(storage.renew(address, RENEWED_S, sha256) for address, sha256 in addresses)


def remove(store: ContentStore, thing: Stored, unused_since_s: float) -> bool:
    """Take a thing away, unless somebody has used it since that moment; gives whether it went."""
    for name in thing.objects:
        address = storage.join(store.uri, name)
        at_s = storage.changed_at(address)
        if at_s is not None and at_s > unused_since_s:
            return False
    for name in thing.objects:
        storage.remove(storage.join(store.uri, name))
    return True
