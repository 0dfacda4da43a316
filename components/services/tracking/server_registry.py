"""Questions about the registry that a server answers in one request, where importing MLflow to ask them takes
seconds: a scheduled run that has nothing to do asks nothing else.

Reads only, and only with the plain ways to log in (a name and password, a token, as MLflow's own
variables); whoever finds None here asks MLflow itself, which says what is wrong, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from components.core.surroundings import keep_loopback_direct

Row = tuple[str, int, str | None, int, dict[str, str], tuple[str, ...]]
PATIENCE_S = 10.0
ABSENT: Mapping[str, Any] = {}
# How MLflow is told of ways to ask that are its own to know.
ITS_OWN = (
    *("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_WORKSPACE"),
    *("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
)
CREDENTIALS = Path(".mlflow") / "credentials"
_NONE = "RESOURCE_DOES_NOT_EXIST"


def answers(uri: str) -> bool:
    """Whether a server answers a real question, at once and well."""
    found = asked(uri, "experiments/search", max_results="1")
    return found is not None and found is not ABSENT


def asked(uri: str, question: str, **words: str) -> Mapping[str, Any] | None:
    """What the server at `uri` answers: ABSENT where it has no such thing, None where it cannot be asked
    this way, or did not answer well.
    """
    if not uri.startswith(("http://", "https://")) or not _is_plain():
        return None
    import requests

    keep_loopback_direct()
    name, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{word}") for word in ("USERNAME", "PASSWORD", "TOKEN")
    )
    login = (name, password) if name and password else None
    headers = {"Authorization": f"Bearer {token}"} if token and login is None else {}
    address = f"{uri.rstrip('/')}/api/2.0/mlflow/{question}"
    try:
        answer = requests.get(
            address, params=words, auth=login, headers=headers, timeout=PATIENCE_S, allow_redirects=False
        )
        told = answer.json()
    except (requests.RequestException, ValueError):
        return None
    if not isinstance(told, dict):
        return None
    if answer.status_code == 404 and told.get("error_code") == _NONE:
        return ABSENT
    return told if answer.status_code == 200 else None


def model(uri: str, name: str) -> tuple[dict[str, str], dict[str, int]] | None:
    """The tags of a model as a whole, and the version each alias points to; None where it is not told."""
    found = asked(uri, "registered-models/get", name=name)
    if found is None:
        return None
    told = found.get("registered_model", {})
    aliases = {each["alias"]: int(each["version"]) for each in told.get("aliases", ())}
    return _tags(told), aliases


def version(uri: str, name: str, number: int) -> Row | tuple[()] | None:
    """A version: name, number, run, moment of its making (ms), tags, aliases; () when there is none, None
    where it is not told.
    """
    found = asked(uri, "model-versions/get", name=name, version=str(number))
    if found is None or found is ABSENT:
        return None if found is None else ()
    told = found["model_version"]
    return (
        told["name"],
        int(told["version"]),
        told.get("run_id") or None,
        int(told.get("creation_timestamp") or 0),
        _tags(told),
        tuple(told.get("aliases", ())),
    )


def _tags(told: Mapping[str, Any]) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in told.get("tags", ())}


def _is_plain() -> bool:
    return (
        not any(os.environ.get(name) for name in ITS_OWN)
        and not (Path("~").expanduser() / CREDENTIALS).exists()
        and not metadata.entry_points(group="mlflow.request_header_provider")
    )
