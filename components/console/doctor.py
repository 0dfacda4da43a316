"""`refocus doctor`: look at everything a run will need and say what to do about what is missing.
Changes nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.requirements import Requirement

from components import recipes
from components.core.errors import RefocusError
from components.pipeline.project import Project
from components.services import versioning

NEED_DISK_GB = 5.0
NEED_SHM_MB = 256
PATIENCE_S = 5.0
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432}
INSIDE = "unset: the part inside this machine is used"
ADDRESSES = {
    "PREFECT_API_URL": INSIDE,
    "MLFLOW_TRACKING_URI": INSIDE,
    "AWS_ENDPOINT_URL": "unset: s3:// means Amazon's",
    "RAY_ADDRESS": INSIDE,
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` is empty when nothing needs doing."""

    what: str
    found: str
    remedy: str = ""


def examine(project: Project) -> int:
    """Look at everything and print a table; gives 1 when something needs doing, else 0."""
    findings = [finding for check in CHECKS for finding in check(project)]
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"{'!!' if finding.remedy else 'ok'}  {finding.what:<{width}}  {finding.found}")
        if finding.remedy:
            print(f"    {'':<{width}}  -> {finding.remedy}")
    todo = sum(bool(finding.remedy) for finding in findings)
    print(f"{todo} thing{'s' if todo != 1 else ''} to do" if todo else "all is well")
    return 1 if todo else 0


def _python(project: Project) -> Iterator[Finding]:
    yield Finding("python", f"{platform.python_version()} at {sys.executable}")
    inside = sys.prefix != sys.base_prefix
    yield Finding(
        "environment",
        sys.prefix if inside else "none",
        "" if inside else "make a virtual environment: make venv, then . .venv/bin/activate",
    )


def _versions(project: Project) -> Iterator[Finding]:
    """Installed packages against what this version of refocus says it needs."""
    try:
        needs = [Requirement(line) for line in importlib.metadata.requires("refocus") or []]
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "refocus", "not installed", "install it: make venv, or pip install -c constraints.txt -e ."
        )
        return
    wrong = []
    for need in (need for need in needs if need.marker is None or need.marker.evaluate()):
        try:
            version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Finding(need.name, "not installed", "make venv installs the tested set"))
            continue
        if not need.specifier.contains(version, prereleases=True):
            wrong.append(
                Finding(need.name, version, f"{need.specifier} is needed; make venv installs the tested set")
            )
    yield from wrong
    if not wrong:
        yield Finding(
            "packages", f"{len(needs)} as pyproject.toml asks; torch {importlib.metadata.version('torch')}"
        )


def _git(project: Project) -> Iterator[Finding]:
    try:
        versioning.need_clone(project.root)
        count = len(versioning.changes(project.root))
        yield Finding("git", f"a clone with {count} uncommitted change{'s' if count != 1 else ''}")
    except RefocusError as error:
        yield Finding("git", "no clone that a run can record", str(error))


def _dvc(project: Project) -> Iterator[Finding]:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--version"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    yield Finding(
        "dvc",
        done.stdout.strip() or "does not start",
        "" if done.returncode == 0 else f"{done.stderr.strip()[-200:]}; make venv installs it again",
    )


def _recipes(project: Project) -> Iterator[Finding]:
    found, refused = recipes.load_all(project.root)
    yield Finding("recipes", ", ".join(found) or "none")
    for name, error in refused.items():
        yield Finding("recipes", f"{name} cannot be read", str(error))


def _disk(project: Project) -> Iterator[Finding]:
    for name, place in (("checkout", project.root), ("state folder", project.state)):
        free_gb = shutil.disk_usage(place).free / 1e9
        remedy = (
            ""
            if free_gb >= NEED_DISK_GB
            else (
                f"{NEED_DISK_GB:.0f} GB make a run comfortable: free some, or set REFOCUS_HOME to a larger"
                " disk"
            )
        )
        writable = os.access(place, os.W_OK)
        yield Finding(
            f"disk, {name}",
            f"{free_gb:.0f} GB free at {place}",
            remedy if writable else f"not writable: chown it, or set REFOCUS_HOME ({place})",
        )


def _shared_memory(project: Project) -> Iterator[Finding]:
    place = Path("/dev/shm")
    if place.is_dir():
        free_mb = shutil.disk_usage(place).free / 1e6
        remedy = (
            ""
            if free_mb >= NEED_SHM_MB
            else f"Ray wants {NEED_SHM_MB} MB there; in a container give it --shm-size=1g"
        )
        yield Finding("/dev/shm", f"{free_mb:.0f} MB free", remedy)


def _addresses(project: Project) -> Iterator[Finding]:
    for name, unset in ADDRESSES.items():
        value = os.environ.get(name)
        parts = urllib.parse.urlsplit(value or "")
        if not value or not parts.hostname:
            yield Finding(name, value or unset)
            continue
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.split("+")[0], 80)
        shown = f"{parts.scheme}://{parts.hostname}:{port}"
        try:
            socket.create_connection((parts.hostname, port), timeout=PATIENCE_S).close()
            yield Finding(name, f"{shown} answers")
        except OSError as error:
            yield Finding(
                name, f"{shown} does not answer ({error})", f"start that service, correct {name}, or unset it"
            )


def _locks(project: Project) -> Iterator[Finding]:
    folder = project.state / "locks"
    busy = []
    for path in sorted(folder.glob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            busy.append(path.stem)
    yield Finding("locks", f"held now: {', '.join(busy)}" if busy else "free")


CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    _python,
    _versions,
    _git,
    _dvc,
    _recipes,
    _disk,
    _shared_memory,
    _addresses,
    _locks,
)
