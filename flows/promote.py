"""Promotion and rollback as Prefect flows, for a person who says yes on Prefect's page or a
deployment that is triggered by hand.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from components.console import registry_commands
from components.core import surroundings
from components.pipeline.project import Project
from components.registry.rollback import rollback as roll_back
from flows.approve import ask_on_page


@flow(name="promote", flow_run_name="promote-{name}", persist_result=False)
def promote(name: str, version: int | None = None) -> dict[str, Any]:
    """Judge a version again, beside today's champion, and promote it if the gate says yes."""
    surroundings.settle()
    done = registry_commands.promote(name, version, Project.here())
    get_run_logger().info(done.words)
    if done.waits:
        get_run_logger().info(ask_on_page(done))
    return {"name": name, "promoted": done.promoted, "words": done.words}


@flow(name="rollback", flow_run_name="rollback-{name}", persist_result=False)
def rollback(name: str, reason: str) -> dict[str, Any]:
    """Give the champion's place back to the version before it."""
    surroundings.settle()
    Project.here()
    done = roll_back(name, reason)
    get_run_logger().info(done.words)
    return {"name": name, "words": done.words}
