"""What `refocus doctor` looks at in the machine: Python, packages, DVC, disks, shared memory, the
temporary folder, the user.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from components.console.doctor.findings import Check, Finding
from components.core.surroundings import has_name
from components.pipeline.project import Project

NEED_DISK_GB = 5.0
NEED_SHM_MB = 256


def python(project: Project) -> Iterator[Finding]:
    """Which Python, and whether in an environment of its own."""
    yield Finding("python", f"{platform.python_version()} at {sys.executable}")
    inside = sys.prefix != sys.base_prefix
    yield Finding(
        "environment",
        sys.prefix if inside else "none",
        "" if inside else "make a virtual environment: make venv, then . .venv/bin/activate",
    )


def versions(project: Project) -> Iterator[Finding]:
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


def dvc(project: Project) -> Iterator[Finding]:
    """Whether DVC starts."""
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


def disks(project: Project) -> Iterator[Finding]:
    """Room, and whether it may be written."""
    for name, place in (("checkout", project.root), ("state folder", project.state)):
        if not place.is_dir():
            continue
        free_gb = shutil.disk_usage(place).free / 1e9
        remedy = (
            ""
            if free_gb >= NEED_DISK_GB
            else (
                f"{NEED_DISK_GB:.0f} GB make a run comfortable: free some, or set REFOCUS_HOME to a larger"
                " disk"
            )
        )
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            remedy = f"{place} lies on a read-only file system: mount it for writing, or work in a copy"
        elif not os.access(place, os.W_OK):
            remedy = f"not writable: chown it, or set REFOCUS_HOME ({place})"
        yield Finding(f"disk, {name}", f"{free_gb:.0f} GB free at {place}", remedy)


def shared_memory(project: Project) -> Iterator[Finding]:
    """Where Ray keeps its objects."""
    place = Path("/dev/shm")
    if place.is_dir():
        free_mb = shutil.disk_usage(place).free / 1e6
        remedy = (
            ""
            if free_mb >= NEED_SHM_MB
            else f"Ray wants {NEED_SHM_MB} MB there; in a container give it --shm-size=1g"
        )
        yield Finding("/dev/shm", f"{free_mb:.0f} MB free", remedy)


def temporary_folder(project: Project) -> Iterator[Finding]:
    """Where temporary files go."""
    place = Path(tempfile.gettempdir())  # raises where there is none
    free_gb = shutil.disk_usage(place).free / 1e9
    remedy = "" if free_gb >= 1 else "1 GB makes a run comfortable: free some, or set TMPDIR to a larger disk"
    yield Finding("temporary folder", f"{free_gb:.0f} GB free at {place.resolve()}", remedy)


def user(project: Project) -> Iterator[Finding]:
    """Whether libraries find out who is at work, and where that user's own files may lie."""
    number, home = os.getuid(), os.environ.get("HOME") or ""
    writable = bool(home) and os.access(home, os.W_OK)
    name = f"{os.environ.get('USER') or 'user'} ({number})"
    if has_name():
        yield Finding("user", name)
    else:
        yield Finding(
            "user",
            f"number {number} without an entry in passwd; called {os.environ.get('USER')} here",
            "" if writable else "set HOME to a folder that this user may write (docker run -e HOME=/tmp)",
        )
    if has_name() and not writable:
        yield Finding(
            "home",
            f"{home or 'HOME is unset'}",
            "set HOME to a folder that this user may write: caches go there",
        )


def photos(project: Project) -> Iterator[Finding]:
    """Which formats of photos are read here; HEIC and AVIF want libraries that nobody has to have."""
    from components.core.decoding import FORMATS, formats_read

    missing = [form for form in FORMATS if form not in formats_read()]
    rest = f"; not {' and '.join(missing)}" if missing else ""
    hint = " (phones' photos: python -m pip install pi-heif)" if "HEIC" in missing else ""
    yield Finding("photos", f"{', '.join(formats_read())} are read{rest}{hint}")


CHECKS: tuple[Check, ...] = (python, versions, dvc, disks, shared_memory, temporary_folder, user, photos)
