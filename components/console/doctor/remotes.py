"""What `refocus doctor` looks at beyond the addresses: versions at both ends, clocks, the places in
buckets, the DVC and git remotes, and whether a team that shares machines shares its registry too.
"""

from __future__ import annotations

import email.utils
import importlib.metadata
import os
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator

from components import recipes
from components.console.doctor.findings import Check, Finding
from components.core.errors import RefocusError
from components.core.surroundings import is_loopback, opener_for
from components.pipeline.project import Project
from components.services import storage, versioning
from components.services.content.places import shared_places

PATIENCE_S = 5.0
MOST_SKEW_S = 30.0  # S3 refuses at 15 minutes, tokens often at one
SHARED = ("PREFECT_API_URL", "RAY_ADDRESS")  # who sets one to another machine works with others


def server_versions(project: Project) -> Iterator[Finding]:
    """MLflow and Prefect here and at their servers: a newer client asks an older server for what it has
    not.
    """
    from components.services.tracking import versions
    from flows import prefect_address

    found = [("MLflow", *versions.versions())] if versions.is_server() else []
    if api := prefect_address.api_address(project.state / "prefect"):
        found += [("Prefect", importlib.metadata.version("prefect"), prefect_address.need_answer(api))]
    for name, ours, theirs in found:
        if not theirs:
            continue
        other = theirs.split(".")[:2] != ours.split(".")[:2]
        yield Finding(
            f"{name} versions",
            f"{ours} here, {theirs} at the server",
            "make them the same (constraints.txt names the tested one)" if other else "",
        )
    if (schema := versions.foreign_schema()) is not None:
        yield Finding(
            "tracking schema",
            f"of another MLflow ({schema})",
            "back it up, then run: mlflow db upgrade ADDRESS (or install the MLflow that made it)",
        )


def clocks(project: Project) -> Iterator[Finding]:
    """This machine's clock against those of the servers."""
    addresses = {name: os.environ.get(name, "") for name in (*storage.ENDPOINTS, *ASKED)}
    off = []
    for name, address in addresses.items():
        if address.startswith("http") and (skew := skew_s(address)) is not None:
            off.append((abs(skew), name, skew))
    if off:
        worst, name, skew = max(off)
        way = "behind" if skew > 0 else "ahead of"
        remedy = "" if worst <= MOST_SKEW_S else "set the clock (timedatectl set-ntp true), here or there"
        yield Finding(
            "clock", f"{worst:.0f} s {way} that of {name}" if worst >= 2 else "as the servers'", remedy
        )


def skew_s(address: str) -> float | None:
    """Seconds that a server's clock is ahead of ours, by the Date of its answer; None when it tells none."""
    before = time.time()
    try:
        with opener_for(address).open(address, timeout=PATIENCE_S) as answer:
            told = answer.headers["Date"]
    except urllib.error.HTTPError as error:
        told = error.headers["Date"]
    except (OSError, ValueError):
        return None  # told by the question whether it answers
    try:
        there = email.utils.parsedate_to_datetime(told).timestamp()
    except (TypeError, ValueError):
        return None
    after = time.time()
    return 0.0 if before - 1 <= there <= after else there - (before + after) / 2


def buckets(project: Project) -> Iterator[Finding]:
    """Every place in a bucket that a run would read or write."""
    places = shared_places()
    for name, recipe in recipes.load_all(project.root)[0].items():
        places[f"photos of {name}"] = recipe.ingest.photos or ""
    for name, place in places.items():
        if not storage.is_s3(place):
            continue
        try:
            count = storage.need_readable(place)
            yield Finding(name, f"{place} {'has objects' if count else 'is empty'}")
        except RefocusError as error:
            yield Finding(name, f"{place} cannot be read", str(error))


def dvc_remote(project: Project) -> Iterator[Finding]:
    """Where data and models are sent to."""
    try:
        found = versioning.dvc_remote(project.root)
    except RefocusError as error:
        yield Finding("DVC remote", "cannot be used", str(error))
        return
    if found is None:
        yield Finding("DVC remote", "none", "name one: dvc remote add --local -d team s3://BUCKET/dvc")
    else:
        yield Finding("DVC remote", f"{found[0]} at {found[1]}")


def git_remote(project: Project) -> Iterator[Finding]:
    """Where code, and the commits of runs, are sent to."""
    try:
        found = versioning.git_remote(project.root)
        yield Finding("git remote", found or "none: the runs' commits stay in this clone")
    except RefocusError as error:
        yield Finding("git remote", "cannot be read", str(error))


def one_registry(project: Project) -> Iterator[Finding]:
    """Whether others on other machines see the same registry, and so the same order of decisions."""
    from components.services.tracking import answers, versions

    address = os.environ.get(answers.URI_VARIABLE, "")
    team = [name for name in SHARED if (value := os.environ.get(name)) and not _of_this_machine(value)]
    endpoint = next((value for name in storage.ENDPOINTS if (value := os.environ.get(name))), "s3://")
    if "team's store" in shared_places() and not _of_this_machine(endpoint):
        team.append("the team's store")
    mark = versions.mark()
    told = "not used yet" if mark is None else f"mark {mark}: who sees the same mark shares it"
    remedy = ""
    if team and (not address or _of_this_machine(address)):
        remedy = (
            f"{' and '.join(team)} reach{'es' if len(team) == 1 else ''} other machines, but decisions about"
            f" models are kept on this one: set {answers.URI_VARIABLE} to the team's MLflow server"
        )
    yield Finding("registry", told, remedy)


def _of_this_machine(address: str) -> bool:
    """Whether an address means this machine alone."""
    if address.startswith("s3://"):
        return False
    parts = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
    return parts.scheme == "sqlite" or address in ("local", "auto") or is_loopback(parts.hostname or "")


ASKED = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "RAY_ADDRESS")
CHECKS: tuple[Check, ...] = (
    server_versions,
    clocks,
    buckets,
    dvc_remote,
    git_remote,
    one_registry,
)
