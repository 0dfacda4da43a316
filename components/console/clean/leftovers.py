"""Caches and pages that nobody used for long, what was set aside as unreadable, words about models that
the registry no longer has, and files of models that no version names.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from components.console.clean.items import Item, Retention, age_words, bytes_of, newest_change, take_away
from components.core.errors import RefocusError
from components.core.own_state import SET_ASIDE
from components.core.records import ModelVersion
from components.pipeline.project import Project
from components.services import tracking

# Folders below the state folder whose content can be made again.
CACHES = ("ingest", "synthesize", "measured", "cache", "describe", "blur-atlas", "compare", "status")
ADDS_UP = ("cache",)  # bounded by itself (REFOCUS_CACHE_GB): told, and left alone


def caches(project: Project, retention: Retention) -> Iterator[Item]:
    """What was neither made nor used for so many days."""
    for kind in CACHES:
        folder = project.state / kind
        for place in sorted(folder.iterdir()) if folder.is_dir() and kind not in ADDS_UP else ():
            at_s = max(newest_change(place), place.lstat().st_atime)
            young = retention.is_young(at_s)
            why = (
                f"used within {retention.days:g} days"
                if young
                else f"{age_words(at_s)}, and can be made again"
            )
            name = f"{kind}/{place.name}"
            yield Item("caches and pages", name, bytes_of(place), not young, why, partial(take_away, place))
    bounded = project.state / "cache"
    if bounded.is_dir():
        yield Item("caches and pages", "cache", bytes_of(bounded), False, "bounded by REFOCUS_CACHE_GB")


def set_aside(project: Project, retention: Retention) -> Iterator[Item]:
    """Own state that could not be read; a person may still want to look at young ones."""
    places = [project.state, project.root / ".dvc" / "tmp"]
    found = {path for place in places if place.is_dir() for path in place.glob(f"*/*{SET_ASIDE}")}
    found |= {path for place in (*places, project.root) for path in place.glob(f"*{SET_ASIDE}")}
    found |= set((project.state / "training").glob(f"*/*{SET_ASIDE}"))
    for path in sorted(found):
        at_s = newest_change(path)
        young = retention.is_young(at_s)
        why = "younger than the retention, for who wants to look" if young else age_words(at_s)
        yield Item("set aside", path.name, bytes_of(path), not young, why, partial(take_away, path))


def registered(project: Project) -> Iterator[Item]:
    """The last registered version of each recipe, as a record for the commands; useless without it."""
    folder = project.state / "registered"
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        version = _version_in(place)
        there = version is not None and tracking.is_used() and tracking.maybe_version(*version) is not None
        why = "the registry has it" if there else "the registry has no such version (any more)"
        yield Item("registered", place.name, bytes_of(place), not there, why, partial(take_away, place))


def unnamed_models(project: Project, retention: Retention) -> Iterator[Item]:
    """Files that a killed registering sent and made no version of. One of the last day may be under way."""
    if not tracking.is_used():
        return
    for model in tracking.models_without_version():
        young = Retention(days=max(1.0, min(retention.days, 7.0))).is_young(model.at_s)
        why = (
            "may be on its way to become a version"
            if young
            else f"{age_words(model.at_s)}, no version names it"
        )
        place = model.folder
        size = bytes_of(place) if place is not None else 0
        yield Item("files of models", model.id, size, not young, why, partial(tracking.forget_model, model))


def _version_in(folder: Path) -> tuple[str, int] | None:
    try:
        found = ModelVersion.load(folder)
    except RefocusError:
        return None
    return found.name, found.version
