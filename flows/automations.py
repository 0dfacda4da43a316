"""What Prefect's server does by itself, made by `refocus deploy`: end runs that died, and tell people.

A run beats every 180 s for as long as its process lives, whatever becomes of its worker
(PREFECT_FLOWS_HEARTBEAT_FREQUENCY). Silence means that its machine or process is gone: the run
becomes Crashed, so that the next one of its recipe gets the slot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from components.core.errors import InputError
from flows.events import PHOTOS_DRIFTED, photos_resource
from flows.schedule import Alarms, Schedule

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

TAG = "refocus"
SILENT, CANCELLED, FAILED, WAITS, DRIFTS = NAMES = (
    "silent runs are Crashed",
    "cancelled runs end",
    "tell of failures",
    "tell of long waiting",
    "tell of drift",
)
_RUN = "prefect.flow-run."
_OVER = {f"{_RUN}{word}" for word in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")}
# Who waits for a person or for a retry has no process and beats for nobody.
_RESTS = {f"{_RUN}{word}" for word in ("Suspended", "Paused", "Cancelling", "AwaitingRetry", "Scheduled")}
BODY = (
    "Flow run {{ flow_run.name }} of {{ flow.name }}{% if deployment %}/{{ deployment.name }}{% endif %} is"
    " {{ flow_run.state.name }}{% if flow_run.state.message %}: {{ flow_run.state.message }}{% endif %}"
    "{% if flow_run|ui_url %}\n{{ flow_run|ui_url }}{% endif %}"
)


async def make_automations(client: PrefectClient, schedule: Schedule) -> list[str]:
    """Make them as the schedule says, in place of those of the last deploy; gives a line for each.

    Raises InputError when the notification block that it names is not on the server.
    """
    block = await _block(client, schedule.alarms.notify)
    wanted = _automations(schedule.pool, schedule.alarms, block)
    for name in NAMES:
        for each in await client.read_automations_by_name(f"{_begins(schedule.pool)}{name}"):
            await client.delete_automation(each.id)
    for automation in wanted:
        await client.create_automation(automation)
    return [f"automation {automation.name}" for automation in wanted]


def _begins(pool: str) -> str:
    return f"{TAG} {pool}: "


async def _block(client: PrefectClient, notify: str | None) -> Any:
    from prefect.exceptions import ObjectNotFound

    if notify is None:
        return None
    kind, _, name = notify.partition("/")
    try:
        return (await client.read_block_document_by_name(name, kind)).id
    except ObjectNotFound as error:
        raise InputError(
            f"alarms.notify is {notify}, and the Prefect server has no block {name} of the type {kind}; make"
            " it on its page (Blocks), or leave alarms.notify out"
        ) from error


def _automations(pool: str, alarms: Alarms, block: Any) -> list[Any]:
    """Those that are asked for: two that end what died, and with a block two that tell."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState, SendNotification
    from prefect.events.schemas.automations import Posture

    silent = _automation(
        SILENT,
        "A run whose process or machine is gone ends, so that the next one of its recipe begins.",
        ChangeFlowRunState(
            state=StateType.CRASHED,
            name="Crashed",
            message=f"no sign of life for {alarms.dead_after_s:g} s: its process or machine is gone",
        ),
        pool=pool,
        after={f"{_RUN}heartbeat", f"{_RUN}Running"},
        expect={f"{_RUN}heartbeat", *_OVER, *_RESTS},
        posture=Posture.Proactive,
        within=timedelta(seconds=alarms.dead_after_s),
    )
    cancelled = _automation(
        CANCELLED,
        "A cancelled run whose worker is gone does not hang in Cancelling.",
        ChangeFlowRunState(
            state=StateType.CANCELLED,
            name="Cancelled",
            message=f"nobody ended it within {alarms.cancel_within_s:g} s: its worker is gone",
            force=True,
        ),
        pool=pool,
        after={f"{_RUN}Cancelling"},
        expect=_OVER,
        posture=Posture.Proactive,
        within=timedelta(seconds=alarms.cancel_within_s),
    )
    if block is None:
        return [silent, cancelled]
    failed = _automation(
        FAILED,
        "",
        SendNotification(block_document_id=block, subject="refocus: a run failed", body=BODY),
        pool=pool,
        expect={f"{_RUN}{word}" for word in ("Failed", "Crashed", "TimedOut")},
        posture=Posture.Reactive,
    )
    waits = _automation(
        WAITS,
        "",
        SendNotification(block_document_id=block, subject="refocus: a run waits", body=BODY),
        pool=pool,
        after={f"{_RUN}{word}" for word in ("AwaitingConcurrencySlot", "Late", "Pending")},
        expect={f"{_RUN}Running", *_OVER},
        posture=Posture.Proactive,
        within=timedelta(seconds=alarms.waiting_s),
    )
    return [silent, cancelled, failed, waits, _tell_of_drift(pool, block)]


def _tell_of_drift(pool: str, block: Any) -> Any:
    from prefect.events import EventTrigger, ResourceSpecification
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import AutomationCore, Posture

    body = "{{ event.payload.recipe }}: {{ event.payload.beyond | join('; ') }}"
    return AutomationCore(
        name=f"{_begins(pool)}{DRIFTS}",
        tags=[TAG],
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": photos_resource("*")}),
            expect={PHOTOS_DRIFTED},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[SendNotification(block_document_id=block, subject="refocus: drift", body=body)],
    )


def _automation(name: str, about: str, action: Any, *, pool: str, **trigger: Any) -> Any:
    from prefect.events import EventTrigger, ResourceSpecification
    from prefect.events.schemas.automations import AutomationCore

    return AutomationCore(
        name=f"{_begins(pool)}{name}",
        description=about,
        tags=[TAG],
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{pool}"}
            ),
            for_each={"prefect.resource.id"},
            threshold=1,
            **trigger,
        ),
        actions=[action],
    )
