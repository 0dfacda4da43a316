"""Whether a scheduled run has anything to do, known in seconds: from the last commit, the listing of
the photos and the champion, before a worktree is made, DVC asked or a photo read.

A scheduled run works on HEAD in a folder of its own, so the commit stands for code and recipe. What
the last run of the recipe came to an end with stands in the registry, on the model: every machine that
runs the recipe sees it. Whatever differs, if only a file's time, leads to a whole run, which DVC makes
short.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from components.core.clock import seconds_since_start
from components.core.files import state_kept_in
from components.core.parts import digest_of
from components.core.records import PhotoSet
from components.ingest.listing import Listing, listing
from components.pipeline.project import Project, Run, folder_of
from components.services import tracking, versioning
from flows.steps import Finished

TAG = "refocus.looked"  # with the recipe's name, a tag of its model


@dataclass(frozen=True)
class Glance:
    """What a scheduled run would rest on. model: its name in the registry."""

    recipe: str
    model: str
    commit: str
    photos: Listing

    @property
    def question(self) -> str:
        """Digest of all of it but the champion."""
        return digest_of([self.commit, self.photos.digest])

    def settled(self) -> Finished | None:
        """What there is to say when the last run rested on just this; None when there is work."""
        last = last_look(self.recipe, self.model)
        champion = _champion(self.model)
        if last is None or (last.get("question"), last.get("champion")) != (self.question, champion):
            return None
        serving = f"the champion is still version {champion}" if champion else "there is still no champion"
        words = (
            f"nothing to do for {self.recipe}: commit {self.commit[:12]} and the photos are those of the run"
            f" of {last.get('at')}, and {serving} ({seconds_since_start():.1f} s)"
        )
        return Finished(self.recipe, (words,), False)

    def keep(self) -> None:
        """Remember that a run which rested on this came to its end."""
        told = {
            "question": self.question,
            "photos": self.photos.digest,
            "champion": _champion(self.model),
            "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        }
        tracking.add_model_tags(self.model, {f"{TAG}.{self.recipe}": json.dumps(told)})


def glance(project: Project, recipe: str, photos: str | None) -> Glance:
    """Look at the commit, the recipe and the listing of its photos. Raises what a run would raise."""
    with state_kept_in(project.state):
        versioning.need_clone(project.root)
        versioning.need_in_graph(project.root, recipe)
        run = Run.of(project, recipe, photos=photos)
        found = photos_listing(run)
        return Glance(recipe, run.recipe.register_.name, versioning.head(root=project.root), found)


def photos_listing(run: Run) -> Listing:
    """The listing of a run's photos."""
    return listing(run.recipe.ingest, out=folder_of(run.root, run.name, PhotoSet))


def last_look(recipe: str, model: str) -> dict[str, object] | None:
    """What the recipe's last scheduled run rested on; None when there was none."""
    text = tracking.model_tags(model).get(f"{TAG}.{recipe}")
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _champion(model: str) -> int | None:
    found = tracking.at_alias(model, tracking.CHAMPION)
    return found.number if found else None
