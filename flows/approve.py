"""A person's answer on Prefect's page: a flow of its own that shows the card, figures and pictures, asks,
and ends its process. Nothing is held while it waits: no worker, no GPU, no workspace, and not the slot of
the recipe's runs.

The answer is recorded by components/registry/approval.py, as that of `refocus approve` is.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.runtime import flow_run as this_run
from pydantic import Field

from components.core import surroundings
from components.core.errors import LineageError
from components.core.records import EvalReport
from components.pipeline.project import Project
from components.register.export import CARD, RECORDS
from components.registry import approval
from components.registry.decision import Decision, recorded_on
from components.services import tracking
from flows.answers import ASKED_IN

NAME = "approve/approve"
PICTURE_BYTES = 2_500_000  # an artifact is a row in Prefect's database; larger pictures stay files
SHEET = re.compile(r'src="(data:image/jpeg;base64,[A-Za-z0-9+/=]+)"')


class Answer(RunInput):
    """The form on Prefect's page. No field has a default: who resumes without an answer is refused."""

    decision: Literal["approve", "reject"] = Field(
        description="approve: the version serves from now on; reject: the champion stays"
    )
    reason: str = Field(min_length=1, description="kept with the version, in the record of decisions")
    by: str = Field(min_length=1, description="your name: Prefect does not know who you are")


@flow(name="approve", flow_run_name="approve-{name}-{version}", persist_result=False)
def approve(name: str, version: int) -> dict[str, Any]:
    """Ask a person whether a version that passed the gate shall serve."""
    surroundings.settle()
    Project.here()
    found = tracking.get_version(name, version)
    ask = recorded_on(found)
    if ask is None or not ask.waits:
        return _told(name, version, ask)  # answered by command meanwhile
    if this_run.get_run_count() <= 1:
        _show(found, ask)
    left_s = int(approval.seconds_left(ask))
    if left_s > 0:
        words = f"{found.words}: {ask.words}\n\nCard, figures and picture: this run's artifacts."
        told = suspend_flow_run(
            wait_for_input=Answer.with_initial_data(description=words), key="answer", timeout=left_s
        )
        assert told is not None, "resumed with an answer, or not at all"
        yes = told.decision == "approve"
        approval.answer(name, version, approve=yes, reason=told.reason, by=f"{told.by} on Prefect's page")
    else:
        approval.lapse_old(name)
    return _told(name, version, recorded_on(tracking.get_version(name, version)))


def _told(name: str, version: int, decision: Decision | None) -> dict[str, Any]:
    words = decision.words if decision else "never judged"
    get_run_logger().info(words)
    return {
        "name": name,
        "version": version,
        "promoted": bool(decision and decision.promoted),
        "words": words,
    }


def ask_on_page(decision: Decision) -> str:
    """Start the flow that asks, on the Prefect server of this run; gives a line that says where. The same
    question is asked once.
    """
    by_hand = f'answer with: refocus approve {decision.name}:{decision.version} --reason "…"'
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(NAME)
        except ObjectNotFound:
            return f"the Prefect server has no deployment {NAME} (refocus deploy makes it); {by_hand}"
        asked = {"name": decision.name, "version": decision.version}
        once = f"{decision.name}-{decision.version}-{decision.expires_at}"
        run = client.create_flow_run_from_deployment(
            deployment.id,
            name=f"approve-{decision.name}-{decision.version}",
            parameters=asked,
            idempotency_key=once,
            tags=[f"{ASKED_IN}{this_run.get_id()}"],
        )
    return f"asked on Prefect's page, in run {run.name} of the flow approve; or {by_hand}"


def _show(version: tracking.Version, ask: Decision) -> None:
    """Put the card, the figures and the best picture on Prefect's page."""
    key = f"{version.name}-{version.number}".replace("_", "-").lower()
    with suppress(LineageError), tracking.fetch(version, CARD) as card:
        create_markdown_artifact(card.read_text(), key=f"{key}-card", description="the model card")
    with suppress(LineageError), tracking.fetch(version, RECORDS) as folder:
        report = EvalReport.load(folder)
        rows = [
            {"metric": name, "restored": round(value, 4), "doing nothing": round(report.do_nothing[name], 4)}
            for name, value in report.restored.items()
        ]
        create_table_artifact(rows, key=f"{key}-metrics", description="means over the test photos")
        _show_sheets(folder / "report.html", key)
    checks = [
        {"check": check.name, "passed": "yes" if check.passed else "no", "words": check.words}
        for check in ask.checks
    ]
    create_table_artifact(checks, key=f"{key}-gate", description=ask.words)


def _show_sheets(page: Path, key: str) -> None:
    """The report's side-by-side pictures, which its page holds."""
    if not page.is_file():
        return
    for number, picture in enumerate(SHEET.findall(page.read_text()), start=1):
        if len(picture) <= PICTURE_BYTES:
            about = "input | restored | target | error"
            create_image_artifact(picture, key=f"{key}-sheet-{number}", description=about)
