"""The watcher: a flow that is run every minute, lists watched photos without reading one, and says when
they have changed and settled. The recipe's deployment hears that and queues a run.

It keeps nothing on its machine: what it saw lies in a Prefect variable, what the last run rested on in the
registry (flows/glance.py). So photos that changed while nobody watched are found, too, and a set that a
run failed on is told of once.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.variables import Variable

from components.core import surroundings
from components.core.errors import RefocusError
from components.ingest.listing import Listing
from components.pipeline.project import Project, Run
from components.registry import approval
from flows.events import PHOTOS_UPDATED, photos_resource
from flows.glance import last_look, photos_listing
from flows.schedule import Schedule, read_schedule


@dataclass(frozen=True)
class Seen:
    """What the watcher remembers of a recipe's photos: the listing's digest, since when it is that one
    (seconds since 1970), and the digest that it told of last.
    """

    digest: str = ""
    since_s: float = 0.0
    told: str = ""


def after(seen: Seen, now: Listing, now_s: float, settled_s: float, last_run: str) -> tuple[Seen, bool]:
    """What is remembered after a look, and whether the photos are to be told of: another set than that
    of the last run, not told of yet, and unchanged for `settled_s`.

    >>> first, told = after(Seen(), Listing("a", 3), 100.0, 60.0, last_run="")
    >>> told
    False
    >>> after(first, Listing("a", 3), 160.0, 60.0, last_run="")
    (Seen(digest='a', since_s=100.0, told='a'), True)
    """
    # At most now: a clock that was set back would else keep them from settling until it is there again.
    since_s = min(seen.since_s, now_s) if seen.digest == now.digest else now_s
    news = now.digest not in (seen.told, last_run)
    tell = news and now_s - since_s >= settled_s
    return Seen(now.digest, since_s, now.digest if tell else seen.told), tell


@flow(name="watch", persist_result=False)
def watch(root: str | None = None) -> dict[str, Any]:
    """Look at the photos of every recipe that says `watch: true` in infra/schedule.yaml."""
    surroundings.settle()
    project = Project.at(Path(root)) if root else Project.here()
    schedule = read_schedule(project.root)
    found = {}
    for recipe in schedule.watched:
        try:
            found[recipe] = _look(project, schedule, recipe)
        except RefocusError as error:  # one bucket that does not answer keeps nobody from the others
            get_run_logger().warning(f"{recipe}: {error}")
            found[recipe] = f"not seen: {error}"
    return found


def _look(project: Project, schedule: Schedule, recipe: str) -> str:
    run = Run.of(project, recipe, photos=schedule.of(recipe).photos)
    model = run.recipe.register_.name
    for lapsed in approval.lapse_old(model):
        get_run_logger().info(lapsed.words)
    now, last = photos_listing(run), last_look(recipe, model) or {}
    name = f"refocus_photos_{recipe}".replace("-", "_")
    kept = Variable.get(name, default=None)
    seen = Seen(**json.loads(kept)) if isinstance(kept, str) else Seen()
    then, tell = after(seen, now, time.time(), schedule.watch.settled_s, str(last.get("photos", "")))
    if tell:
        emit_event(
            PHOTOS_UPDATED,
            resource={"prefect.resource.id": photos_resource(recipe), "prefect.resource.name": recipe},
            payload={"digest": now.digest, "files": now.count, "photos": run.recipe.ingest.photos},
        )
        get_run_logger().info(f"{recipe}: photos updated, {now.count} files, digest {now.digest[:12]}")
    if then != seen:
        Variable.set(name, json.dumps(asdict(then)), overwrite=True)
    return "told" if tell else "unchanged" if then == seen else "settling"
