"""What the team's store (REFOCUS_STORE) has, and nobody has used for long.

Sets and files are copies on their way to a cluster, sent again when they are wanted; who finds one there
makes it young. Shards that a set's folder only lists (`pictures: shards`) lie nowhere else: those of every
run whose commit stays, of this checkout and of all that is registered stay, and all do while it is not
known what a run has made.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import yaml

from components.console.clean.items import DAY_S, Item, Retention, age_words
from components.core.errors import LineageError, RefocusError
from components.pipeline.project import Project
from components.services import tracking, versioning
from components.services.content import MANIFEST, ContentStore, upkeep
from components.services.content.upkeep import SETS, SHARDS, Stored
from components.services.tracking import registry

LEAST_DAYS = 2.0  # whoever sends something may be at work for so long before anything names it
KIND = "team's store"


def runs_of_others(root: Path) -> str | None:
    """Bring the commits of all runs elsewhere, whose shards lie in the store, too; why they could not be
    had, else None.
    """
    return None if ContentStore.of_environment() is None else versioning.fetch_runs("", root=root)


def contents(
    project: Project, retention: Retention, kept: Collection[str], unknown: str | None = None
) -> Iterator[Item]:
    """Everything that this program put there. kept: names of the runs whose commits stay; unknown: why
    those of others are not known.

    Raises ServiceError when the store or the registry does not answer.
    """
    store = ContentStore.of_environment()
    if store is None:
        return
    days = max(retention.days, LEAST_DAYS)
    since_s = time.time() - days * DAY_S
    things = upkeep.stored(store)
    old = [thing for thing in things if thing.at_s < since_s]
    rests = _registered() if old else {}
    staying = {
        thing.name
        for thing in things
        if thing.kind == SETS and (thing.at_s >= since_s or thing.name in rests)
    }
    wanted = any(thing.kind == SHARDS for thing in old)
    held = _Held(project, store, kept, staying, unknown) if wanted else None
    for thing in things:
        why = f"used within {days:g} days" if thing.at_s >= since_s else rests.get(thing.name, "")
        if not why and thing.kind == SHARDS and held is not None:
            why = held.why(thing.name)
        gone = f"{age_words(thing.at_s)} since its last use, and nothing that stays names it"
        yield Item(
            f"{KIND}: {thing.kind}",
            _short(thing),
            thing.bytes,
            not why,
            why or gone,
            partial(upkeep.remove, store, thing, since_s),
        )


class _Held:
    """The shards that something names which stays."""

    def __init__(
        self,
        project: Project,
        store: ContentStore,
        kept: Collection[str],
        sets: Collection[str],
        unknown: str | None,
    ) -> None:
        self._names: dict[str, str] = {}
        self._unknown = f"the runs of others are not known, for want of {unknown}" if unknown else ""
        try:
            for head, called in _lists(project, kept):
                self._names |= dict.fromkeys(upkeep.shards_in_head(head, called), f"{called} names it")
            for sha256 in upkeep.shards_of_sets(store, sets):
                self._names.setdefault(sha256, "a set that stays names it")
        except RefocusError as error:
            self._unknown = f"nobody knows what needs it: {error}"

    def why(self, sha256: str) -> str:
        """Why a shard stays; empty when nothing speaks for it."""
        return self._names.get(sha256) or self._unknown


def _lists(project: Project, kept: Collection[str]) -> Iterator[tuple[str, str]]:
    """The first line of each list of shards that stays, and whose it is. Raises LineageError where a run's
    cannot be read.
    """
    for path in sorted(project.root.glob(f"data/*/*/{MANIFEST}")):
        with path.open(encoding="utf-8") as stream:
            yield stream.readline(), str(path.relative_to(project.root))
    runs = versioning.run_commits(project.root)
    commits = {run.commit: f"the run {run.name}" for run in runs if run.name in kept}
    commits |= _commits_of_versions()
    outputs: dict[str, str] = {}
    for commit, name in commits.items():
        if not versioning.commit_exists(commit, root=project.root):
            raise LineageError(f"{name} was made by the commit {commit[:12]}, which is not in this clone")
        lock = yaml.safe_load(versioning.file_at(commit, versioning.LOCK, root=project.root) or "") or {}
        for stage, told in lock.get("stages", {}).items():
            if stage.startswith("synthesize@"):
                outputs |= {str(out["md5"]): name for out in told.get("outs", ()) if "md5" in out}
    heads = versioning.heads_in_outputs(outputs, MANIFEST, root=project.root)
    yield from ((head, outputs[output]) for output, head in heads.items() if head is not None)


def _versions() -> tuple[tracking.Version, ...]:
    return registry.search("") if tracking.is_used() else ()


def _commits_of_versions() -> dict[str, str]:
    return {
        each.tags[registry.GIT_COMMIT]: each.words for each in _versions() if registry.GIT_COMMIT in each.tags
    }


def _registered() -> dict[str, str]:
    """Sets that registered versions rest on, with the version's name."""
    tags = (registry.PHOTOSET, registry.PAIRSET, registry.CHECKPOINT, registry.REPORT)
    return {
        each.tags[tag]: f"{each.words} rests on it"
        for each in _versions()
        for tag in tags
        if tag in each.tags
    }


def _short(thing: Stored) -> str:
    return thing.name if len(thing.name) < 60 else f"{thing.name[:16]}…"
