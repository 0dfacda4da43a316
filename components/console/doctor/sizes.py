"""What `refocus doctor` says of room: how much each folder that grows has taken, and the team's store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from components.console.clean import sizes
from components.console.clean.items import bytes_of, size_words
from components.console.doctor.findings import Check, Finding
from components.core.errors import RefocusError
from components.pipeline.project import Project
from components.services.content import ContentStore, upkeep

MOST_FILES = 200_000  # a folder; of a larger one the first so many are told
MOST_OBJECTS = 20_000  # of the team's store; one request tells a thousand
LARGE_SHARE = 2.0  # of the room that is left: more than that, and it is time to clean


def room_taken(project: Project) -> Iterator[Finding]:
    """Each folder that grows, in a line, and whether it is time to clean."""
    taken = {name: bytes_of(place, at_most=MOST_FILES) for name, place in sizes(project.root, project.state)}
    told = ", ".join(f"{name} {size_words(count)}" for name, count in taken.items() if count)
    total, free = sum(taken.values()), shutil.disk_usage(project.root).free
    remedy = "see what can go: refocus clean --dry-run" if total > LARGE_SHARE * free else ""
    yield Finding("room taken", f"{size_words(total)}{f' ({told})' if told else ''}", remedy)


def store_taken(project: Project) -> Iterator[Finding]:
    """What the team's store holds, by kind."""
    store = ContentStore.of_environment()
    if store is None:
        return
    try:
        things = upkeep.stored(store, at_most=MOST_OBJECTS)
    except RefocusError:
        return  # told by who asks the store
    taken: dict[str, int] = {}
    for thing in things:
        taken[thing.kind] = taken.get(thing.kind, 0) + thing.bytes
    told = ", ".join(f"{kind} {size_words(count)}" for kind, count in sorted(taken.items()))
    more = " or more" if sum(len(thing.objects) for thing in things) >= MOST_OBJECTS else ""
    yield Finding("team's store", f"{size_words(sum(taken.values()))}{more}{f' ({told})' if told else ''}")


CHECKS: tuple[Check, ...] = (room_taken, store_taken)
