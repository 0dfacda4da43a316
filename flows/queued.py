"""Runs that wait on a Prefect server: put into a recipe's queue (`refocus backfill`), and taken from it
(`refocus worker`).
"""

from __future__ import annotations

import asyncio
import os
import sys
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
    """Queue a run of the recipe for each place of photos, in their order: its deployment takes one at a
    time. Gives a line for each.

    Raises InputError when the recipe has no deployment.
    """
    versioning.need_in_graph(project.root, recipe)
    need_server(project)
    wanted = [place if "://" in place else str(Path(place).expanduser().resolve()) for place in places]
    return asyncio.run(_queue(recipe, wanted))


async def _queue(recipe: str, places: list[str]) -> tuple[str, ...]:
    lines = []
    async with asking_prefect("queue the runs") as client:
        deployment = await deployment_of(client, f"retrain/{recipe}")
        for place in places:
            run = await client.create_flow_run_from_deployment(deployment.id, parameters={"photos": place})
            lines.append(f"queued {run.name} ({run.id}): {recipe} on {place}")
    return tuple(lines)


async def deployment_of(client: PrefectClient, name: str) -> DeploymentResponse:
    """A deployment by FLOW/NAME. Raises InputError when the server has none."""
    from prefect.exceptions import ObjectNotFound

    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise InputError(f"the Prefect server has no deployment {name}; make it: refocus deploy") from error
