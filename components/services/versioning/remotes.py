"""Whether the places that data and commits are sent to answer: the DVC remote and the git remote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from components.core.addresses import shown
from components.core.errors import ServiceError
from components.services.versioning.git import asked
from components.services.versioning.process import child_environment
from components.services.versioning.refusals import of_dvc

PATIENCE_S = 15.0


def dvc_remote(root: Path) -> tuple[str, str] | None:
    """Name and address of the default DVC remote, None where there is none.

    Raises RefocusError when it does not answer or does not know us.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(root)],
        cwd=root,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    told = json.loads(lines[-1]) if lines else {"name": "", "url": "", "why": done.stderr.strip()[-300:]}
    name, url, why = told["name"], shown(told["url"]), told["why"]
    if why:
        doing = f"the DVC remote {name} at {url} cannot be used" if name else "DVC's settings cannot be used"
        raise of_dvc(why, root, doing) or ServiceError(
            f"{doing}: {why}; check its address and credentials (dvc remote list, .dvc/config.local)"
        )
    return (name, url) if name else None


def git_remote(root: Path, name: str = "origin") -> str | None:
    """The address of a git remote that answers; None where the clone has none of that name.

    Raises ServiceError when it does not answer or refuses us, which git never asks a person about.
    """
    known = asked(root, "remote", "get-url", name)
    if not known.well:
        return None
    patient = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10", "GIT_ASKPASS": "true"}
    answer = asked(root, "ls-remote", "--quiet", name, "HEAD", extra=patient, limit_s=PATIENCE_S)
    if not answer.well:
        why = " ".join(answer.refusal.split())[:300]
        raise ServiceError(
            f"the git remote {name} at {shown(known.words)} cannot be read ({why}); correct the address (git"
            f" remote set-url {name} …), or give this user access"
        )
    return shown(known.words)


def _look(root: str) -> dict[str, str]:
    """Ask the default remote, in a process of its own: DVC takes a second to import."""
    from dvc.repo import Repo

    told = {"name": "", "url": "", "why": ""}
    try:
        with Repo(root) as repo:
            told["name"] = name = str(repo.config["core"].get("remote") or "")
            if not name:
                return told
            told["url"] = url = str(repo.config["remote"].get(name, {}).get("url", ""))
            remote = repo.cloud.get_remote(name)
            # One that nothing was sent to has no folder yet, but its bucket is there.
            top = url.partition("://")[2].partition("/")[0] if url.startswith("s3://") else ""
            if top and not remote.fs.exists(top):
                return told | {"why": f'no bucket "{top}" there; check its name, or make it'}
            if remote.fs.exists(remote.path):
                remote.fs.ls(remote.path, detail=False)
    except Exception as error:  # of any remote's library
        words = " ".join(str(error).split())[:300]
        return told | {"why": f"{type(error).__name__}: {words}"}
    return told


if __name__ == "__main__":
    print(json.dumps(_look(sys.argv[1])))
