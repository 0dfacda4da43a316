"""Whether the tracking store answers, asked before work and by the way that the work will take; and
what to say when it does not. An address where nobody listens is told in seconds; a server that is
there is given a minute, for it may have much to do.
"""

from __future__ import annotations

import socket
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

from components.core.addresses import shown, without_secrets
from components.core.causes import cause_of, refused, told
from components.core.errors import RefocusError, ServiceError
from components.core.surroundings import proxy_for

URI_VARIABLE = "MLFLOW_TRACKING_URI"
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
CONNECT_S, PATIENCE_S = 5.0, 60.0
CLOSED_AT_MOST = 3  # times that a connection may be cut off before that is the answer
BUSY = (429, 502, 503, 504)


def need_file(path: Path) -> None:
    """Raises InputError when the file may not be written: MLflow would try for two minutes."""
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        try:
            if each.exists():
                with each.open("r+b"):
                    pass
        except OSError as error:
            doing = f"the tracking database {each} cannot be opened for writing"
            raise refused(error, doing, place=each) or error from error


def need_listener(uri: str, scheme: str) -> None:
    """Open and close one connection, so that a dead address is told in seconds and not after
    MLflow's minutes of retries. Where a proxy is to be used, it is the proxy that must answer.
    """
    proxy = proxy_for(uri) if scheme in ("http", "https") else None
    try:
        parts = urllib.parse.urlsplit(
            proxy if proxy and "://" in proxy else f"http://{proxy}" if proxy else uri
        )
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.split("+")[0], 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        if proxy:
            raise ServiceError(
                f"the MLflow address {shown(uri)} goes by the proxy {shown(proxy)}, which does not answer"
                f" ({error}); correct or unset the proxy (http_proxy, https_proxy), or add the host to"
                " no_proxy"
            ) from error
        raise ServiceError(
            f"the MLflow address {shown(uri)} does not answer ({_reason(uri, error)}); start the server,"
            f" correct {URI_VARIABLE}, or unset it to track in a SQLite file beside the project"
        ) from error


def _reason(uri: str, error: Exception) -> str:
    """Why an address could not be used; an @, / or ? in its password, not written as it must be, is
    taken for the end of the host.
    """
    user, at, _ = uri.partition("://")[2].rpartition("@")
    if at and any(mark in user for mark in "@/?#"):
        return "its user or password holds @, /, ? or #, which must be written %40, %2F, %3F, %23"
    return str(error)


def need_server(uri: str, patience_s: float) -> None:
    """Ask a server for something real: /health says yes even where every other request is refused.

    One that is slow, or says that it is busy, is asked again for as long as patience lasts; after a
    few seconds a line says so.
    """
    answer = _answer_of(uri, patience_s)
    if answer.status_code == 200:
        return
    remedy = {
        401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        403: (
            "the user may lack permission, or the server refuses this host name: add it to the server's"
            " MLFLOW_SERVER_ALLOWED_HOSTS"
        ),
        404: "that is no MLflow server",
    }.get(answer.status_code, "look at the server's log")
    raise ServiceError(
        f"the MLflow server at {shown(uri)} answered {answer.status_code} ({first_line(answer.text)});"
        f" {remedy}"
    )


def _answer_of(uri: str, patience_s: float) -> Any:
    """What the server answers within `patience_s`. Raises the sentence of why there was none."""
    until, closed, told_so = time.monotonic() + patience_s, 0, False
    while True:
        left = max(until - time.monotonic(), 0.5)
        try:
            answer = _asked(uri, left if told_so else min(left, CONNECT_S))
        except Exception as error:
            timed_out = "timed out" in str(error).lower()
            closed += not timed_out
            if (
                closed == CLOSED_AT_MOST
                or time.monotonic() + 0.5 >= until
                or (not timed_out and _is_for_good(uri, error))
            ):
                raise _no_answer(uri, patience_s, error) from error
        else:
            if answer.status_code not in BUSY or time.monotonic() + 0.5 >= until:
                return answer
            closed, timed_out = 0, False
        if not told_so:
            words = f"{shown(uri)} is slow to answer; waiting for it, {patience_s:.0f} s at most"
            print(words, file=sys.stderr, flush=True)
            told_so = True
        if not timed_out:
            time.sleep(1.0)


def _asked(uri: str, timeout_s: float) -> Any:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    return http_request(
        get_default_host_creds(uri),
        "/api/2.0/mlflow/experiments/search",
        "GET",
        max_retries=0,
        timeout=timeout_s,
        raise_on_status=False,
        params={"max_results": 1},
    )


def _is_for_good(uri: str, error: Exception) -> bool:
    """Whether asking again will not help: a proxy that refuses, a certificate that is not trusted."""
    cause = cause_of(error)
    return proxy_for(uri) is not None or (cause is not None and cause.name == "certificate")


def _no_answer(uri: str, patience_s: float, error: Exception) -> RefocusError:
    if (proxy := proxy_for(uri)) is not None:
        return ServiceError(
            f"{shown(uri)} gave no answer in {patience_s:.0f} s by the proxy {shown(proxy)}; correct or"
            " unset the proxy (http_proxy, https_proxy), or add the host to no_proxy"
        )
    cause = cause_of(error)
    if cause is not None and cause.name == "certificate":
        return told(cause, doing=f"the MLflow server at {shown(uri)} cannot be asked")
    return ServiceError(
        f"{shown(uri)} took the connection but gave no answer in {patience_s:.0f} s; is it an MLflow"
        f" server? Correct {URI_VARIABLE}, restart the server, or wait where it has much to do"
    )


def first_line(text: str) -> str:
    """The first line of what a server or a library said, without secrets."""
    return without_secrets((text.strip().splitlines() or ["no reason given"])[0])[:300]
