"""A run with Prefect from the command line: its home in our state folder, its page's words not
doubled here, its server never orphaned.
"""

from __future__ import annotations

import atexit
import os
from functools import partial
from pathlib import Path

from components.pipeline.project import Project, Run
from flows.prefect_address import API_VARIABLE
from flows.prefect_settings import prepare_prefect
from flows.private_server import PrivateServer
from flows.steps import Finished, Look, look, straight
from flows.verdicts import may_be_settled
from flows.workspace import workspace


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


def _quiet(debug: bool) -> None:
    """Keep Prefect's console to what we do not say ourselves; its page still gets everything."""
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
