"""The run as a Prefect flow: one task a step, logs and pictures on Prefect's page. Deployed by
`refocus deploy`, run by hand with `refocus run`.

Steps are called directly, never submitted: a task in another thread does not see a termination and
its child lives on. Prefect caches nothing here (NO_CACHE): what has to run again is DVC's to say.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.runtime import flow_run as this_run

from components.core import surroundings
from components.core.baseline import words_for
from components.core.errors import RefocusError
from components.core.files import state_kept_in
from components.pipeline.project import Project, Run, project_root
from components.services import tracking
from flows.approve import ask_on_page
from flows.closing import as_markdown, best_sheet
from flows.events import PHOTOS_DRIFTED, photos_resource
from flows.glance import glance
from flows.patience import patiently
from flows.queued import queue_next
from flows.schedule import read_schedule
from flows.steps import Finished, Look, follow
from flows.workspace import workspace

Result = TypeVar("Result")
PICTURE_BYTES = 2_000_000  # an artifact is a row in Prefect's database; larger pictures stay files


NAMED: dict[str, Any] = {"name": "retrain", "flow_run_name": "retrain-{recipe}", "persist_result": False}


@flow(**NAMED, validate_parameters=True)
def retrain(
    recipe: str,
    photos: str | None = None,
    worktree: bool = False,
    root: str | None = None,
    then: list[str] | None = None,
) -> dict[str, Any]:
    """Run a recipe from photos to a verdict.

    photos: folder or s3:// prefix instead of the recipe's own; worktree: run the last commit in a
    folder of its own;
    root: the checkout, found from the working directory when left out; then: places of photos for which
    a run follows each (`refocus backfill`).
    Gives small JSON: the closing lines, and the version when one was made.
    """
    surroundings.settle()
    project, say = Project.at(Path(root) if root else project_root()), get_run_logger().info
    if then:
        say(queue_next(recipe, then, str(this_run.get_id())))
    pauses_s = read_schedule(project.root).retry_after_s
    return _told(patiently(lambda: _scheduled(recipe, project, photos, worktree), say, pauses_s))


def _scheduled(recipe: str, project: Project, photos: str | None, worktree: bool) -> Finished:
    """One try of a run; one on the last commit first takes a glance whether there is anything to do."""
    say = get_run_logger().info
    seen = None
    if worktree:
        with state_kept_in(project.state):
            tracking.need_answer()
            seen = glance(project, recipe, photos)
            if (nothing := seen.settled()) is not None:
                say(nothing.lines[0])
                return nothing
    with workspace(recipe, project, photos=photos, worktree=worktree) as run:
        finished = _followed(run, say, None)
        if seen is not None:
            seen.keep()
    return finished


def retrain_opened(run: Run, seen: Look | None) -> Finished:
    """The same flow for a run that somebody has opened, and perhaps had a look at; its words are
    printed here too.
    """
    finished: list[Finished] = []

    @flow(**NAMED, validate_parameters=False)
    def retrain(recipe: str, photos: str | None) -> dict[str, Any]:
        def say(line: str) -> None:
            print(line, flush=True)
            get_run_logger().info(line)

        if seen is not None:
            _as_task(seen.first.name, lambda: None)  # taken before Prefect's server was started
        finished.append(_followed(run, say, seen))
        return _told(finished[0])

    retrain(run.name, run.photos)
    return finished[0]


def _followed(run: Run, say: Callable[[str], None], seen: Look | None) -> Finished:
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(ForPeople())
    finished = follow(run, _as_task, say, seen=seen)
    if finished.changed:
        _show(finished)
    for line in finished.lines:
        get_run_logger().info(line)
    if finished.decision is not None and finished.decision.waits:
        say(ask_on_page(finished.decision))
    return finished


def _told(finished: Finished) -> dict[str, Any]:
    version = finished.version
    return {
        "recipe": finished.recipe,
        "changed": finished.changed,
        "lines": list(finished.lines),
        "version": version.version if version else None,
    }


class ForPeople(logging.Filter):
    """Drops the traceback of an error that explains itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record through."""
        if record.exc_info and isinstance(record.exc_info[1], RefocusError):
            record.exc_info, record.exc_text = None, None
        return True


def _as_task(name: str, work: Callable[[], Result]) -> Result:
    """Take a step as a Prefect task of its name."""
    result: Result = task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(work)()
    return result


def _show(finished: Finished) -> None:
    """Put verdict, figures and the best picture on Prefect's page."""
    assert finished.version is not None
    assert finished.report is not None
    assert finished.decision is not None
    key, report = finished.recipe.replace("_", "-").lower(), finished.report
    title = f"# {finished.version.name} version {finished.version.version}\n\n"
    create_markdown_artifact(
        title + as_markdown(finished.lines),
        key=f"{key}-verdict",
        description="the gate's verdict",
    )
    words = words_for(report.task, report.baseline)
    restored, nothing = report.restored | report.set_restored, report.do_nothing | report.set_do_nothing
    rows = [
        {"metric": name, words.restored: round(restored[name], 4), words.nothing: round(nothing[name], 4)}
        for name in restored
    ]
    create_table_artifact(
        rows,
        key=f"{key}-metrics",
        description="means over the test photos; FID and KID over all of them together",
    )
    if finished.drift:
        _show_drift(finished, f"{key}-drift")
    picture = best_sheet(report)
    if picture is not None and picture.stat().st_size <= PICTURE_BYTES:
        kind = "png" if picture.suffix == ".png" else "jpeg"
        data = base64.b64encode(picture.read_bytes()).decode()
        create_image_artifact(
            f"data:image/{kind};base64,{data}",
            key=f"{key}-best",
            description=f"{words.input} | {words.restored} | {words.target} | error",
        )


def _show_drift(finished: Finished, key: str) -> None:
    """Put the table on Prefect's page, and an event for whoever listens where something is beyond its
    limit.
    """
    rows = [
        {
            "what": row.name,
            "then": round(row.then, 4),
            "now": round(row.now, 4),
            "moved": round(row.moved, 3),
            "limit": row.limit,
            "beyond": "yes" if row.beyond else "no",
        }
        for row in finished.drift
    ]
    create_table_artifact(rows, key=key, description="photos and champion against what it was promoted on")
    beyond = [row.words for row in finished.drift if row.beyond]
    if beyond:
        resource = {"prefect.resource.id": photos_resource(finished.recipe)}
        emit_event(PHOTOS_DRIFTED, resource=resource, payload={"recipe": finished.recipe, "beyond": beyond})
