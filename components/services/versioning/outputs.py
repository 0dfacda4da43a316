"""What of a recipe's outputs is at hand, and what a team's DVC remote has of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from components.core.errors import ServiceError
from components.core.files import write_text
from components.services.versioning.dvc import LOCK
from components.services.versioning.git import file_at
from components.services.versioning.process import Say, child_environment
from components.services.versioning.refusals import errors_in, of_dvc

CHANGED, MISSING = "changed", "missing"


def out_of_date(recipe: str, stages: Iterable[str], *, root: Path) -> dict[str, str]:
    """What is the matter with a recipe's outputs, by `stage@recipe`: changed (it must run), missing (as
    dvc.lock names it, but not checked out). Empty when everything is as dvc.lock says.

    stages: from the first one on, in order; one that looks at the world is never out of date.
    """
    return _ask("look", recipe, stages, root=root)


def bring_made(recipe: str, stages: Sequence[str], *, root: Path, say: Say) -> tuple[str, ...]:
    """Check out what is missing, and the results of runs with the same code, settings and data that are
    in the cache or in the default remote; what cannot be had is left to be made. Gives what was had,
    as `stage@recipe`.

    Raises ServiceError when the remote does not answer.
    """
    found = _ask("bring", recipe, stages, root=root)
    brought = tuple(name for name, what in found.items() if what == "brought")
    if brought:
        say(f"made before, and checked out: {', '.join(name.split('@')[0] for name in brought)}")
    return brought


def push(recipe: str, stages: Iterable[str], *, root: Path) -> None:
    """Send a recipe's objects and the record of its runs to the default remote."""
    _ask("send", recipe, stages, root=root)


def is_shared(root: Path) -> bool:
    """Whether the default remote lies outside of the checkout, where others may reach it."""
    from dvc.config import Config, ConfigError

    try:
        config = Config(str(root / ".dvc"))
        name = config["core"].get("remote")
        url = str(config["remote"].get(name, {}).get("url", "")) if name else ""
    except (ConfigError, KeyError):
        return False  # whoever works with the remote says what is wrong with it
    return bool(url) and ("://" in url or not Path(url).resolve().is_relative_to(root.resolve()))


def take_lock(recipe: str, commit: str, *, root: Path) -> None:
    """Put what a run's commit says of a recipe into dvc.lock, where it says nothing of it yet: a fresh
    clone then knows what the team has made.
    """
    path = root / LOCK
    own = yaml.safe_load(path.read_text()) if path.is_file() else None
    own = own or {"schema": "2.0", "stages": {}}
    theirs = yaml.safe_load(file_at(commit, LOCK, root=root) or "") or {}
    found = {name: stage for name, stage in theirs.get("stages", {}).items() if name.endswith(f"@{recipe}")}
    if not found or any(name.endswith(f"@{recipe}") for name in own.get("stages", {})):
        return
    own.setdefault("stages", {}).update(found)
    write_text(path, yaml.safe_dump(own, sort_keys=False))


def _ask(what: str, recipe: str, stages: Iterable[str], *, root: Path) -> dict[str, str]:
    script = str(Path(__file__).with_name("at_hand.py"))
    done = subprocess.run(
        [sys.executable, "-P", script, what, *(f"{stage}@{recipe}" for stage in stages)],
        cwd=root,
        env=child_environment(),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode == 0:
        found: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
        return found
    why = errors_in(done.stderr)
    doing = {"send": "the results of {} could not be sent to the DVC remote"}
    words = doing.get(what, "DVC cannot say what is at hand of {}").format(recipe)
    if (known := of_dvc(why, root, words)) is not None:
        raise known
    raise ServiceError(
        f"{words} ({why}); `dvc remote list` in {root} names it, `refocus doctor` asks it. Run the same"
        " command again when it answers"
    )
