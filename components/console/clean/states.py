"""States of trainings (each holds both nets and their optimisers), in the state folder and in the bucket
that REFOCUS_TRAINING_STORAGE names.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from components.console.clean.items import (
    DAY_S,
    Item,
    Retention,
    age_words,
    bytes_of,
    newest_change,
    take_away,
)
from components.core.locks import is_held
from components.pipeline.project import Project
from components.services import storage
from components.services.content.places import states_in_store, states_named

_NAME = re.compile(r"(?P<recipe>.+)-[0-9a-f]{20}")
AT_WORK_S = 2 * DAY_S  # one that was written to since may be under way on another machine


@dataclass(frozen=True)
class Training:
    """The states of one training: its folder's name, bytes, the moment of the last one."""

    name: str
    bytes: int
    at_s: float
    remove: Callable[[], object]

    @property
    def recipe(self) -> str:
        """The recipe that it belongs to; its own name where it has none."""
        found = _NAME.fullmatch(self.name)
        return found["recipe"] if found else self.name


def local(project: Project, retention: Retention) -> Iterator[Item]:
    """Those in the state folder."""
    folder = project.state / "training"
    found = [
        Training(place.name, bytes_of(place), newest_change(place), partial(take_away, place))
        for place in (folder.iterdir() if folder.is_dir() else ())
        if _NAME.fullmatch(place.name)
    ]
    busy = {
        name for name in {each.recipe for each in found} if is_held(project.state / "locks" / f"{name}.lock")
    }
    yield from _kept_by_rule("states of trainings", found, retention, busy, 0.0)


def in_bucket(project: Project, retention: Retention) -> Iterator[Item]:
    """Those in a bucket. Raises ServiceError when it does not answer."""
    place = states_named() or states_in_store() or ""
    if not storage.is_s3(place):
        return
    objects: dict[str, list[tuple[str, int, float]]] = {}
    for name, size, at_s in storage.list_dated(place):
        objects.setdefault(name.split("/")[0], []).append((name, size, at_s))
    found = [
        Training(
            name,
            sum(size for _, size, _ in rows),
            max(at_s for *_, at_s in rows),
            partial(_remove, [storage.join(place, each) for each, *_ in rows]),
        )
        for name, rows in objects.items()
        if _NAME.fullmatch(name)
    ]
    yield from _kept_by_rule(f"states in {place}", found, retention, set(), AT_WORK_S)


def _kept_by_rule(
    kind: str, found: Iterable[Training], retention: Retention, busy: set[str], at_work_s: float
) -> Iterator[Item]:
    count: dict[str, int] = {}
    for each in sorted(found, key=lambda each: each.at_s, reverse=True):
        count[each.recipe] = count.get(each.recipe, 0) + 1
        if each.recipe in busy:
            goes, why = False, f"a run of {each.recipe} is at work"
        elif count[each.recipe] <= retention.trainings:
            goes, why = False, f"one of the newest {retention.trainings} of {each.recipe}"
        elif time.time() - each.at_s < at_work_s:
            goes, why = False, "written to lately: it may be under way on another machine"
        else:
            goes, why = True, f"{age_words(each.at_s)}; its checkpoint, if it came to one, is kept by DVC"
        yield Item(kind, each.name, each.bytes, goes, why, each.remove)


def _remove(addresses: list[str]) -> None:
    for address in addresses:
        storage.remove(address)
