"""What Prefect reads at its import, set before it."""

from __future__ import annotations

import os
from pathlib import Path

from components.core.addresses import sqlite_address
from components.core.surroundings import keep_loopback_direct
from components.pipeline.project import Project
from flows.prefect_address import api_address, need_answer

DATABASE = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")


def prepare_prefect(project: Project) -> str | None:
    """Set what Prefect reads at import: where its files go, small JSON results, nothing sent home.
    Gives the address of the server that is asked for, None where it is to be our own. Call before
    importing prefect.

    Raises ServiceError within 5 s when the server that is asked for does not answer.
    """
    home = Path(os.environ.get("PREFECT_HOME") or project.state / "prefect").expanduser()
    wanted = {
        "PREFECT_HOME": str(home),
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if not any(name in os.environ for name in DATABASE):
        wanted[DATABASE[0]] = sqlite_address(home / "prefect.db", "aiosqlite")
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    keep_loopback_direct()
    api = api_address(home)
    if api is not None:
        need_answer(api)
    return api
