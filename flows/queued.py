"""Runs that wait on a Prefect server: put into a recipe's queue (`refocus backfill`), and taken from it
(`refocus worker`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import InputError
from components.core.files import checkout_variable
from components.pipeline.project import Project
from components.services import versioning
from flows.deployments import asking_prefect, need_server
from flows.schedule import read_schedule

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse


def work(project: Project) -> None:
    """Become a worker of the schedule's pool, whose runs work on this checkout. Does not come back."""
    need_server(project)
    pool = read_schedule(project.root).pool
    os.environ.update(checkout_variable(project.root))
    command = ["-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    os.execv(sys.executable, [sys.executable, *command])


def backfill(project: Project, recipe: str, places: tuple[str, ...]) -> tuple[str, ...]:
    """Queue a run of the recipe for each place of photos, in their order. Gives a line for each.

    Raises InputError when the recipe has no deployment.
    """
    versioning.need_in_graph(project.root, recipe)
    need_server(project)
    wanted = [place if "://" in place else str(Path(place).expanduser().resolve()) for place in places]
    return asyncio.run(_queue(recipe, wanted))


async def _queue(recipe: str, places: list[str]) -> tuple[str, ...]:
    """Only the first is put into Prefect's queue, which keeps no order among those that wait; each puts
    in the next as soon as it has the recipe's one slot, so that a run which dies loses none.
    """
    first, *later = places
    async with asking_prefect("queue the runs") as client:
        deployment = await deployment_of(client, f"retrain/{recipe}")
        run = await client.create_flow_run_from_deployment(
            deployment.id, parameters={"photos": first, "then": later}, name=f"retrain-{recipe}"
        )
    told = [f"queued {run.name} ({run.id}): {recipe} on {first}"]
    return (*told, *(f"follows in its turn: {recipe} on {place}" for place in later))


def queue_next(recipe: str, places: Sequence[str], run_id: str) -> str:
    """Queue the run that follows the one of that id, which has begun; once, however often it begins. Gives
    a line. places: of those that follow, not empty.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    following, *later = places
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"retrain/{recipe}")
        except ObjectNotFound:
            return f"the Prefect server has no deployment retrain/{recipe} any more; not queued: {following}"
        run = client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"photos": following, "then": later},
            name=f"retrain-{recipe}",
            idempotency_key=f"after-{run_id}",
        )
    return f"queued {run.name} ({run.id}): {recipe} on {following}"


async def deployment_of(client: PrefectClient, name: str) -> DeploymentResponse:
    """A deployment by FLOW/NAME. Raises InputError when the server has none."""
    from prefect.exceptions import ObjectNotFound

    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise InputError(f"the Prefect server has no deployment {name}; make it: refocus deploy") from error
