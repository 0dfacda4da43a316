"""`refocus approve` and `refocus reject`: a person's answer by command, with a Prefect server or without.

The answer is recorded in the registry at once, whoever's worker is asleep; the run that asked on
Prefect's page is then ended with it.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from components.core.errors import InputError, RefocusError
from components.pipeline.project import Project
from components.registry import approval
from components.registry.decision import Decision
from flows.deployments import asking_prefect, need_server
from flows.prefect_settings import prepare_prefect

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

ASKED_IN = "asked-in:"  # begins the tag by which a run that asks names the one that trained
VERSION = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*):(?P<number>[0-9]+)")


def answer(project: Project, run: str, *, approve: bool, reason: str) -> Decision:
    """Answer about what `run` names: NAME:VERSION, or the name or id of a flow run, be it the one that
    asks or the one that trained.

    Raises InputError when it names nothing that waits, BusyError while others decide.
    """
    told = VERSION.fullmatch(run)
    name, number = (told["name"], int(told["number"])) if told else _version_of(project, run)
    decision = approval.answer(name, number, approve=approve, reason=reason)
    with suppress(RefocusError):  # the answer stands; the page is told when its server is there
        if prepare_prefect(project) is not None:
            asyncio.run(_end_asking(name, number, decision))
    return decision


def _version_of(project: Project, run: str) -> tuple[str, int]:
    try:
        need_server(project)
    except InputError as error:
        raise InputError(
            f"{run!r} is no NAME:VERSION (`refocus history NAME` lists the versions), and for the name of a"
            f" run: {error}"
        ) from error
    return asyncio.run(_asked_in(run))


async def _asked_in(run: str) -> tuple[str, int]:
    """The model and version that a flow run asks about, or made."""
    async with asking_prefect("find the run") as client:
        found = await _flow_run(client, run)
        asked = found.parameters
        if "version" in asked and "name" in asked:
            return str(asked["name"]), int(asked["version"])
        for asking in await _asking(client):
            if f"{ASKED_IN}{found.id}" in asking.tags:
                return str(asking.parameters["name"]), int(asking.parameters["version"])
    raise InputError(f"the flow run {found.name} asks nobody; name the version: refocus approve NAME:VERSION")


async def _flow_run(client: PrefectClient, run: str) -> FlowRun:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.exceptions import ObjectNotFound

    with suppress(ValueError, ObjectNotFound):
        return await client.read_flow_run(UUID(run))
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[run])),
        sort=FlowRunSort.START_TIME_DESC,
        limit=1,
    )
    if not found:
        raise InputError(f"the Prefect server has no flow run {run}; name its id, or NAME:VERSION")
    return found[0]


async def _asking(client: PrefectClient) -> list[FlowRun]:
    """The runs that wait for an answer."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    state: Any = {"state": {"type": {"any_": ["PAUSED"]}}}
    return await client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["approve"])),
        flow_run_filter=FlowRunFilter.model_validate(state),
        sort=FlowRunSort.START_TIME_DESC,
        limit=200,
    )


async def _end_asking(name: str, number: int, decision: Decision) -> None:
    from prefect.states import Completed

    async with asking_prefect("end the run that asks") as client:
        for run in await _asking(client):
            if (run.parameters.get("name"), run.parameters.get("version")) == (name, number):
                state: Any = Completed(message=decision.words)
                await client.set_flow_run_state(run.id, state, force=True)
