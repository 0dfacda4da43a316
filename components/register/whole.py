"""Whether a version in the registry still has all its files, and what becomes of one that has not."""

from __future__ import annotations

import json

from components.core.errors import LineageError
from components.register.export import FILES
from components.services import tracking


def missing_files(version: tracking.Version) -> tuple[str, ...]:
    """The names of files that a version should have, by its own list of them, and has not."""
    there = tracking.files_of(version.name, version.number)
    if FILES not in there:
        return (FILES,)
    try:
        with tracking.fetch(version, FILES) as listed:
            wanted: dict[str, str] = json.loads(listed.read_text())
    except (LineageError, ValueError):
        return (FILES,)
    return tuple(sorted(wanted.keys() - there.keys()))


def set_aside(version: tracking.Version, missing: tuple[str, ...], instead: tracking.Version) -> None:
    """Mark a version that lost files, so that nobody promotes it; what the gate said of one that was
    judged already stays.
    """
    words = f"it has lost {len(missing)} of its files ({missing[0]}); {instead.words} takes its place"
    tags = {"refocus.incomplete": words}
    if version.tags.get(tracking.STATUS) == "pending":
        tags |= {tracking.STATUS: "failed", "gate.words": f"refused: {words}"}
    tracking.add_tags(version.name, version.number, tags)
