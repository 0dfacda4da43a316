"""The door of DVC: run one stage in a child process, and check that objects are what their hash says.
What is at hand and what a remote has is outputs.py's, the graph graph.py's.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from components.core.errors import LineageError, RefocusError, ServiceError, StageError
from components.core.files import state_folder, write_text
from components.core.stopping import HEEDED
from components.services.versioning.process import Say, child_environment, run_relayed
from components.services.versioning.refusals import errors_in, of_dvc

LOCK = "dvc.lock"
How = Literal["ran", "restored", "reused"]
# DVC's own words that help nobody who ran `refocus`; --debug shows them.
CHATTER = (
    *(
        "Running stage ",
        "> python ",
        "Updating lock file ",
        "Generating lock file ",
        "Verifying data sources",
    ),
    *(
        "Use `dvc push`",
        "Data and pipelines are up to date",
        "ERROR: failed to reproduce",
        "ERROR: interrupted by the user",
    ),
    *("To track the changes with git", "To enable auto staging", "\tgit add ", "\tdvc config core.autostage"),
    *("ERROR: unexpected error", "Having any troubles?"),  # told in our sentence
    "WARNING: Process '",  # locks of a killed run, which DVC clears by itself
    "refocus: error:",  # the status file has it
)


@dataclass(frozen=True)
class Outcome:
    """What became of one stage: it ran, its result was restored from DVC's cache, or the result at
    hand still holds.
    """

    how: How
    computing_s: float


def status_file(recipe: str, stage: str) -> Path:
    """Where a stage's process leaves how it ended: DVC hides its exit code and its words."""
    return state_folder() / "status" / f"{recipe}-{stage}.json"


def leave_status(recipe: str, stage: str, **facts: object) -> None:
    """Called by the stage's process at its end: ok, seconds; or exit_code and message."""
    write_text(status_file(recipe, stage), json.dumps(facts) + "\n")


def reproduce(
    recipe: str,
    stage: str,
    *,
    root: Path,
    say: Say,
    debug: bool = False,
    extra: Mapping[str, str] | None = None,
    started: Callable[[int], None] | None = None,
) -> Outcome:
    """Bring one stage of one recipe up to date: `dvc --wait-for-lock repro --single-item
    STAGE@RECIPE` in a child process.

    Without --wait-for-lock DVC throws a finished training away when another dvc process holds the
    lock at its end.
    Raises StageError with the stage's own last words and its exit code.
    """
    note = status_file(recipe, stage)
    note.unlink(missing_ok=True)
    words: list[str] = []

    def hear(line: str) -> None:
        words.append(line)
        if debug or (line.strip() and not line.startswith(CHATTER) and not _about_reuse(line)):
            say(line)

    code = run_relayed(
        _dvc("--wait-for-lock", "repro", "--single-item", f"{stage}@{recipe}"),
        root=root,
        environment=child_environment(extra),
        say=hear,
        started=started,
    )
    told: dict[str, Any] = json.loads(note.read_text()) if note.is_file() else {}
    if code != 0:
        raise _failure(recipe, stage, told, words, code, root)
    if any(line.startswith("Running stage ") for line in words):
        return Outcome("ran", float(told.get("seconds", 0.0)))
    return Outcome("restored" if any("is cached - skipping run" in line for line in words) else "reused", 0.0)


def _about_reuse(line: str) -> bool:
    return line.startswith("Stage '") and (
        line.endswith("didn't change, skipping") or "is cached - skipping run" in line
    )


def _failure(
    recipe: str, stage: str, told: Mapping[str, Any], words: Sequence[str], code: int, root: Path
) -> RefocusError:
    if told.get("message"):
        error = StageError(f"{stage} of {recipe}: {told['message']}")
        error.exit_code = int(told["exit_code"])
        return error
    last = [line for line in words if line.startswith("ERROR: ")] or [line for line in words if line.strip()][
        -3:
    ]
    why = " ".join(line.removeprefix("ERROR: ").strip() for line in last) or f"dvc ended with {code}"
    plain = why.replace("unexpected error - ", "")
    if (known := of_dvc(plain, root, f"{stage} of {recipe}")) is not None:
        return known
    stopped = next(
        (number for number in HEEDED if f"exited with {128 + number}" in why or code == -number), None
    )
    if stopped is not None:
        return StageError(
            f"{stage} of {recipe} was ended from outside ({signal.Signals(stopped).name}); what was finished"
            " is kept, run the same command again to go on"
        )
    killed = (
        " A process that was killed from outside (exit 137, -9) most often ran out of memory."
        if "137" in why or "-9" in why
        else ""
    )
    return StageError(
        f"{stage} of {recipe} ended without a word of its own: {why}.{killed} Run the same command with"
        " --debug to see all of its output"
    )


def hashes(recipe: str, *, root: Path) -> dict[str, str]:
    """DVC's md5 of each output of a recipe, by folder name (photos, pairs, checkpoint, report),
    from dvc.lock.
    """
    path = root / LOCK
    locked: dict[str, Any] = yaml.safe_load(path.read_text()) if path.is_file() else {}
    return {
        Path(out["path"]).name: str(out["md5"])
        for name, stage in locked.get("stages", {}).items()
        if name.endswith(f"@{recipe}")
        for out in stage.get("outs", [])
    }


def check_objects(md5: str, *, root: Path) -> list[str]:
    """Hash an output's objects again, each file of a folder; returns what is wrong, in words, empty
    when all is well.

    An object absent from the local cache is looked for in the default remote.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        stores = [repo.cache.local]
        try:
            stores.append(repo.cloud.get_remote_odb())
        except Exception as error:
            raise ServiceError(f"the DVC remote of {root} cannot be opened: {error}") from error
        problems, data = _check_object(stores, md5)
        if data is not None and md5.endswith(".dir"):
            for entry in json.loads(data):
                found, _ = _check_object(stores, entry["md5"], name=entry["relpath"])
                problems += found
    return problems


def _check_object(stores: Sequence[Any], md5: str, name: str = "") -> tuple[list[str], bytes | None]:
    what = f"object {md5}" + (f" ({name})" if name else "")
    for place, store in zip(("local cache", "remote"), stores, strict=False):
        path = store.oid_to_path(md5)
        if not store.fs.exists(path):
            continue
        with store.fs.open(path, "rb") as stream:
            data: bytes = stream.read()
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
            return [f"{what} in DVC's {place} was altered: its MD5 is not its name"], None
        return [], data
    return [f"{what} is in neither DVC's local cache nor its remote"], None


def _dvc(*words: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *words]


def ask(*words: str, root: Path) -> str:
    """What a DVC command answers. Raises the sentence of its refusal."""
    done = subprocess.run(
        _dvc(*words),
        cwd=root,
        env=child_environment(),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        why = errors_in(done.stderr)
        if (known := of_dvc(why, root, f"`dvc {words[1]}` failed")) is not None:
            raise known
        raise LineageError(f"`dvc {' '.join(words)}` failed in {root}: {why}")
    return done.stdout
