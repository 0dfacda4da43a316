"""One deployment a recipe on a Prefect server, made from the recipes and infra/schedule.yaml:
`refocus deploy`. Doing it twice is doing it once.

It speaks to the server through Prefect's client and sends no explicit null in a request's body: a
server whose FastAPI is 0.151 or newer refuses one (422) where it used to take the default, and
`prefect deploy` sends two. That command ends after its first deployment for this reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.core.errors import InputError, RefocusError, ServiceError
from components.pipeline.project import Project
from flows.events import PHOTOS_UPDATED, photos_resource
from flows.firing import firing
from flows.prefect_address import API_VARIABLE
from flows.prefect_settings import prepare_prefect
from flows.schedule import Schedule, read_schedule, recipes_to_deploy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prefect.client.orchestration import PrefectClient

TAG = "refocus"
# The worker says where the code lies: another machine has it elsewhere.
PULL = [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $REFOCUS_CHECKOUT }}"}}]
GRACE_S = 600


@dataclass(frozen=True)
class Planned:
    """One deployment as it shall be."""

    flow: str  # file and function below flows/
    name: str
    about: str
    parameters: dict[str, Any] = field(default_factory=dict)
    cron: str | None = None
    timezone: str = "UTC"
    every_s: float | None = None
    active: bool = True
    watched: str | None = None  # run when the photos of this recipe were updated
    queues: bool = True  # a new run waits for the one at work; False: it is dropped
    alone: bool = True

    @property
    def words(self) -> str:
        """One line for a person."""
        when = [f"cron {self.cron} {self.timezone}"] if self.cron else []
        when += [f"every {self.every_s:g} s"] if self.every_s else []
        when += ["when its photos change"] if self.watched else []
        rests = "" if self.active else " (resting)"
        return f"{self.flow.rpartition(':')[2]}/{self.name}: {' and '.join(when) or 'by hand'}{rests}"


def plan(schedule: Schedule, names: Sequence[str]) -> tuple[Planned, ...]:
    """What shall be on the server: a deployment a recipe, and those that serve all of them."""
    planned = []
    for name in names:
        own = schedule.of(name)
        photos = {"photos": own.photos} if own.photos else {}
        planned.append(
            Planned(
                flow="retrain.py:retrain",
                name=name,
                about=f"Run recipe {name} on the last commit, in its own folder, on the photos as they are.",
                parameters={"recipe": name, "worktree": True, **photos},
                cron=own.cron,
                timezone=own.timezone or schedule.timezone,
                active=own.active,
                watched=name if own.watch else None,
            )
        )
    return (*planned, *_for_all(schedule))


def _for_all(schedule: Schedule) -> tuple[Planned, ...]:
    watch = Planned(
        flow="watch.py:watch",
        name="watch",
        about=f"Look whether watched photos have changed and settled; emits {PHOTOS_UPDATED}.",
        every_s=schedule.watch.every_s,
        queues=False,
    )
    return (
        Planned(
            flow="promote.py:promote",
            name="promote",
            about="Judge a registered version again and promote it if the gate says yes; a person starts it.",
        ),
        Planned(
            flow="approve.py:approve",
            name="approve",
            about="Ask a person about a version that passed the gate; a run starts it.",
            alone=False,
        ),
        Planned(
            flow="compare.py:compare",
            name="compare",
            about="Put versions or recipes side by side: figures with intervals, settings, pictures; a person"
            " starts it.",
            alone=False,
        ),
        *([watch] if schedule.watched else []),
    )


def deploy(project: Project, names: tuple[str, ...]) -> tuple[str, ...]:
    """Make the deployments of the named recipes (of all, when none is named), the work pool and the
    automations; gives a line for each. Deployments of recipes that are gone are taken away when none
    is named.

    Raises InputError for a wrong schedule or without a server, ServiceError when it does not answer.
    """
    schedule = read_schedule(project.root)
    wanted = recipes_to_deploy(project, names)
    planned = plan(schedule, wanted)
    need_server(project)
    for each in planned:
        _schedules(each)  # what is wrong with one is said before another is made
    return asyncio.run(_deploy(schedule, planned, whole=not names))


def need_server(project: Project) -> str:
    """The address of the Prefect server that is asked for. Raises InputError when there is none."""
    api = prepare_prefect(project)
    if api is None:
        raise InputError(
            f"schedules, triggers and queues need a Prefect server that stays: start one (`prefect server"
            f" start`, or `make team`) and set {API_VARIABLE} to it, such as http://127.0.0.1:4200/api"
        )
    return api


@asynccontextmanager
async def asking_prefect(what: str) -> AsyncIterator[PrefectClient]:
    """Prefect's client; what it raises becomes one sentence: the server could not `what`, and why."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        async with get_client() as client:
            yield client
    except RefocusError:
        raise
    except (httpx.HTTPError, PrefectException, OSError) as error:
        first = " ".join(str(error).split())[:300] or type(error).__name__
        raise ServiceError(
            f"the Prefect server could not {what}: {first}; look at its address and credentials"
            f" ({API_VARIABLE}, PREFECT_API_AUTH_STRING), then run the same command again"
        ) from error


async def _deploy(schedule: Schedule, planned: Sequence[Planned], *, whole: bool) -> tuple[str, ...]:
    from flows.automations import make_automations

    async with asking_prefect("take the deployments") as client:
        lines = [*await _make_pool(client, schedule.pool)]
        for each in planned:
            await _make(client, each, schedule.pool)
            lines.append(each.words)
        if whole:
            lines += await _take_away_others(
                client, {(_flow_of(each).name, each.name) for each in planned}, schedule.pool
            )
        lines += await make_automations(client, schedule)
    return tuple(lines)


async def _make_pool(client: PrefectClient, pool: str) -> list[str]:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        await client.read_work_pool(pool)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        with suppress(ObjectAlreadyExists):  # a worker was quicker
            await client.create_work_pool(
                WorkPoolCreate(name=pool, type="process", base_job_template=template)
            )
        return [f"work pool {pool} made; start a worker on it: refocus worker"]
    return []


def _schedules(planned: Planned) -> list[Any]:
    """When it runs, in Prefect's words. Raises InputError for what it cannot read, or what never comes."""
    return firing(
        planned.name,
        cron=planned.cron,
        timezone=planned.timezone,
        every_s=planned.every_s,
        active=planned.active,
    )


def _flow_of(planned: Planned) -> Any:
    import importlib

    file, _, function = planned.flow.partition(":")
    return getattr(importlib.import_module(f"flows.{file.removesuffix('.py')}"), function)


async def _make(client: PrefectClient, planned: Planned, pool: str) -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
    from prefect.utilities.callables import parameter_schema

    flow = _flow_of(planned)
    strategy = ConcurrencyLimitStrategy.ENQUEUE if planned.queues else ConcurrencyLimitStrategy.CANCEL_NEW
    made = await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=planned.name,
        description=planned.about,
        entrypoint=f"flows/{planned.flow}",
        path=".",
        pull_steps=PULL,
        parameters=planned.parameters,
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        tags=sorted({TAG, pool}),
        work_pool_name=pool,
        schedules=_schedules(planned),
        concurrency_limit=1 if planned.alone else None,
        concurrency_options=ConcurrencyOptions(collision_strategy=strategy, grace_period_seconds=GRACE_S)
        if planned.alone
        else None,
    )
    await client.delete_resource_owned_automations(f"prefect.deployment.{made}")
    if planned.watched:
        await client.create_automation(_when_photos_change(made, planned))


def _when_photos_change(deployment: Any, planned: Planned) -> Any:
    """The automation that puts a run into the recipe's queue."""
    from prefect.events import DeploymentEventTrigger, ResourceSpecification

    trigger = DeploymentEventTrigger(
        name=f"{TAG}: photos of {planned.watched} were updated",
        match=ResourceSpecification({"prefect.resource.id": photos_resource(str(planned.watched))}),
        expect={PHOTOS_UPDATED},
    )
    trigger.set_deployment_id(deployment)
    return trigger.as_automation()


async def _take_away_others(client: PrefectClient, kept: set[tuple[str, str]], pool: str) -> list[str]:
    """Delete deployments of ours in this pool that are not planned any more; gives a line for each."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterTags,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.sorting import DeploymentSort

    found = await client.read_deployments(
        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        sort=DeploymentSort.NAME_ASC,
        limit=200,
    )
    lines = []
    for each in found:
        flow = (await client.read_flow(each.flow_id)).name
        if (flow, each.name) not in kept:
            await client.delete_resource_owned_automations(f"prefect.deployment.{each.id}")
            await client.delete_deployment(each.id)
            lines.append(f"{flow}/{each.name}: taken away, there is no such recipe any more")
    return lines
