"""A run with Prefect from the command line: its home in our state folder, its page's words not
doubled here, its server never orphaned.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial

from components.core.errors import ServiceError
from components.pipeline.project import Project, Run
from flows.steps import Finished, Look, look, straight
from flows.verdicts import may_be_settled
from flows.workspace import workspace

API_VARIABLE = "PREFECT_API_URL"
PATIENCE_S = 5.0
START_S = 90  # the first start builds its database; on two cores that took 12 s


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
        prepare_prefect(project)
        seen = None
        if API_VARIABLE not in os.environ and may_be_settled(run):
            seen = look(run, straight, partial(print, flush=True))
        finished = seen.settled if seen and seen.settled else _under_prefect(run, seen)
    for line in finished.lines:
        print(line)


def _under_prefect(run: Run, seen: Look | None) -> Finished:
    _quiet(run.debug)
    wait = _own_server()
    from flows.retrain import retrain_opened  # takes seconds to import, while the server starts

    wait()
    return retrain_opened(run, seen)


def prepare_prefect(project: Project) -> None:
    """Set what Prefect reads at import: where its files go, small JSON results, nothing sent home.
    Call before importing prefect.

    Raises ServiceError within 5 s when PREFECT_API_URL is set and does not answer.
    """
    wanted = {
        "PREFECT_HOME": str(project.state / "prefect"),
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    api = os.environ.get(API_VARIABLE)
    if api:
        _need_answer(api)
    else:
        wanted |= {
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(START_S),
        }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _need_answer(api: str) -> None:
    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=PATIENCE_S):
            return
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            return  # it is there and wants credentials, which Prefect itself will bring
        raise ServiceError(
            f"{API_VARIABLE} is {api}, which does not answer ({error}); start that server, correct the"
            " address, or unset it to run without one"
        ) from error


def _quiet(debug: bool) -> None:
    """Keep Prefect's console to what we do not say ourselves; its page still gets everything."""
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")


def _own_server() -> Callable[[], None]:
    """Begin to start the short-lived server; gives what waits until it answers. It lives where
    Ctrl-C does not reach it, to be told how the run ended.

    It ends with this process, after Prefect has sent its last words; ended before them, their
    sender waits a minute for nobody.
    """
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return lambda: None
    server = SubprocessASGIServer()
    failed: list[Exception] = []

    def start() -> None:
        # The child inherits this thread's mask: a terminal's Ctrl-C goes past it; Prefect ends it
        # by SIGTERM.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            server.start(timeout=START_S)
        except Exception as error:
            failed.append(error)

    atexit.register(
        server.stop
    )  # as Prefect itself does once the server runs; here for a start that was interrupted
    thread = threading.Thread(target=start, daemon=True)
    thread.start()

    def wait() -> None:
        while thread.is_alive():
            thread.join(0.2)  # in slices, so that Ctrl-C is heard
        if failed:
            raise ServiceError(
                f"Prefect's own server did not start within {START_S} s: {failed[0]}; run with --no-prefect,"
                f" or set {API_VARIABLE} to a running server"
            ) from failed[0]

    return wait
