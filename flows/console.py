"""A run with Prefect from the command line: its home in our state folder, its page's words not
doubled here, its server never orphaned.
"""

from __future__ import annotations

import atexit
import os
from functools import partial
from pathlib import Path

from components.core.addresses import sqlite_address
from components.core.surroundings import keep_loopback_direct
from components.pipeline.project import Project, Run
from flows.prefect_address import API_VARIABLE, api_address, need_answer
from flows.private_server import PrivateServer
from flows.steps import Finished, Look, look, straight
from flows.verdicts import may_be_settled
from flows.workspace import workspace

DATABASE = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")


def retrain_at_console(
    recipe: str,
    project: Project,
    *,
    photos: str | None = None,
    worktree: bool = False,
    debug: bool = False,
) -> None:
    """Run a recipe as a Prefect flow; on the server at PREFECT_API_URL, else on one that lives as
    long as the run. None is started for a run that turns out to have nothing to do.
    """
    with workspace(recipe, project, photos=photos, worktree=worktree, debug=debug) as run:
        api = prepare_prefect(project)
        seen = None
        if api is None and may_be_settled(run):
            seen = look(run, straight, partial(print, flush=True))
        finished = seen.settled if seen and seen.settled else _under_prefect(run, seen, api)
    for line in finished.lines:
        print(line)


def _under_prefect(run: Run, seen: Look | None, api: str | None) -> Finished:
    _quiet(run.debug)
    server = PrivateServer(Path(os.environ["PREFECT_HOME"])) if api is None else None
    if server is not None:
        # After Prefect's own last words, which are sent at exit too, by what is registered later.
        atexit.register(server.end)
        server.start()
        os.environ[API_VARIABLE] = server.address
    from flows.retrain import retrain_opened  # takes seconds to import, while the server starts

    if server is not None:
        server.wait()
    return retrain_opened(run, seen)


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


def _quiet(debug: bool) -> None:
    """Keep Prefect's console to what we do not say ourselves; its page still gets everything."""
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
