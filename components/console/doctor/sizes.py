"""What `refocus doctor` says of room: how much each folder that grows has taken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from components.console.clean import sizes
from components.console.clean.items import bytes_of, size_words
from components.console.doctor.findings import Check, Finding
from components.pipeline.project import Project

MOST_FILES = 200_000  # a folder; of a larger one the first so many are told
LARGE_SHARE = 2.0  # of the room that is left: more than that, and it is time to clean


def room_taken(project: Project) -> Iterator[Finding]:
    """Each folder that grows, in a line, and whether it is time to clean."""
    taken = {name: bytes_of(place, at_most=MOST_FILES) for name, place in sizes(project.root, project.state)}
    told = ", ".join(f"{name} {size_words(count)}" for name, count in taken.items() if count)
    total, free = sum(taken.values()), shutil.disk_usage(project.root).free
    remedy = "see what can go: refocus clean --dry-run" if total > LARGE_SHARE * free else ""
    yield Finding("room taken", f"{size_words(total)}{f' ({told})' if told else ''}", remedy)


CHECKS: tuple[Check, ...] = (room_taken,)
