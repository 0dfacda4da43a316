"""What of a recipe's outputs is at hand, asked and changed by `python at_hand.py look|bring|send
STAGE@RECIPE…` in a checkout. Prints JSON.

A process of its own: DVC brings its threads, and writes where it likes. `dvc` on its command line
cannot do this: `status` calls an output that is not checked out changed, and `--run-cache` sends or
fetches the record of every run there ever was (bench: benchmarks/team_costs.py), where three are
meant.

look   per stage: changed (must run), missing (as dvc.lock says, but not checked out), or neither
bring  missing ones are checked out; a changed one whose result somebody with the same code, settings
       and data has sent to the remote is checked out too: DVC then need not run it
send   the outputs, and the record of the runs that made them, to the remote
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError, RemoteNotFoundError
from dvc.exceptions import CollectCacheError, DvcException
from dvc.repo import Repo, lock_repo
from dvc.stage.cache import RunCacheNotFoundError, _can_hash, _get_stage_hash
from dvc_objects.fs.generic import copy

CHANGED, MISSING, BROUGHT, ABSENT = "changed", "missing", "brought", "absent"


def look(stages: Sequence[Any]) -> dict[str, str]:
    """What is the matter with each stage, in order; those with which all is well are left out."""
    found = {}
    for place, stage in enumerate(stages):
        if stage.always_changed:
            continue  # it has been taken by who asks, and looks at the world
        if stage.changed(allow_missing=True, upstream=list(stages[:place])):
            found[stage.addressing] = CHANGED
        elif any(out.status() for out in stage.outs):
            found[stage.addressing] = MISSING
    return found


def bring(repo: Repo, stages: Sequence[Any]) -> dict[str, str]:
    """Check out what can be had, in order; stops at the first stage whose result cannot."""
    remote = _remote(repo)
    done: dict[str, str] = {}
    for place, stage in enumerate(stages):
        wrong = look(stages[: place + 1]).get(stage.addressing)
        if wrong is None:
            continue
        try:
            if wrong == MISSING:
                _check_out(repo, stage, remote)
            else:
                _restore(repo, stage, remote)
        except (RunCacheNotFoundError, CollectCacheError, FileNotFoundError):
            done[stage.addressing] = ABSENT
            break
        done[stage.addressing] = BROUGHT
    return done


def _check_out(repo: Repo, stage: Any, remote: Any) -> None:
    """The outputs that dvc.lock names."""
    if not stage.outs_cached() and remote is not None:
        for objects in stage.get_used_objs().values():
            repo.cloud.pull(objects)
    if not stage.outs_cached():
        raise RunCacheNotFoundError(stage)
    stage.checkout()


def _restore(repo: Repo, stage: Any, remote: Any) -> None:
    """The outputs of a run from the same code, settings and data, here or elsewhere."""
    # Another object of the same stage: to one whose dependencies were saved, DVC gives its old result.
    asked = repo.stage.load_one(path=stage.path, name=stage.name)
    asked.save_deps()
    if not _can_hash(asked):
        raise RunCacheNotFoundError(stage)
    here, there = _records(repo, asked, remote)
    if remote is not None and not here.is_dir() and remote.fs.exists(there):
        for path in remote.fs.find(there):
            copy(remote.fs, path, repo.cache.legacy.fs, str(here / remote.fs.name(path)))
    repo.stage_cache.restore(stage, pull=remote is not None)


def send(repo: Repo, stages: Sequence[Any]) -> dict[str, str]:
    """Objects first, so that no record names what is not there."""
    repo.push(targets=[stage.addressing for stage in stages])
    remote = _remote(repo)
    for stage in stages:
        if remote is None or not _can_hash(stage):
            continue
        here, there = _records(repo, stage, remote)
        for path in here.iterdir() if here.is_dir() else ():
            place = remote.fs.join(there, path.name)
            if not remote.fs.exists(place):
                copy(repo.cache.legacy.fs, str(path), remote.fs, place)
    return {}


def _records(repo: Repo, stage: Any, remote: Any) -> tuple[Path, str]:
    """Where the records of a stage's runs with its present dependencies lie, here and in the remote."""
    key = _get_stage_hash(stage)
    there = "" if remote is None else remote.fs.join(remote.path, "runs", key[:2], key)
    return Path(repo.stage_cache.cache_dir, key[:2], key), there


def _remote(repo: Repo) -> Any:
    """The default remote, asked once so that one which does not answer is told; None without one."""
    try:
        remote = repo.cloud.get_remote_odb(None, "fetch", hash_name="md5-dos2unix")
    except (NoRemoteError, RemoteNotFoundError):
        return None
    remote.fs.exists(remote.path)
    return remote


def main(what: str, names: Sequence[str]) -> None:
    """Do it, and print what came of it."""
    with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
        stages = [stage for name in names for stage in repo.stage.collect(name)]
        work = {"look": lambda: look(stages), "bring": lambda: bring(repo, stages)}
        found = work.get(what, lambda: send(repo, stages))()
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except (DvcException, OSError) as error:
        sys.exit(f"ERROR: {error}")
    except Exception as error:
        sys.exit(f"ERROR: {type(error).__name__}: {error}")
