"""Whether the places that data and commits are sent to answer: the DVC remote and the git remote."""

from __future__ import annotations

from pathlib import Path

from components.core.addresses import shown
from components.core.errors import RefocusError, ServiceError
from components.services.versioning.git import asked
from components.services.versioning.refusals import of_dvc

PATIENCE_S = 15.0


def dvc_remote(root: Path) -> tuple[str, str] | None:
    """Name and address of the default DVC remote, None where there is none.

    Raises RefocusError when it does not answer or does not know us.
    """
    from dvc.repo import Repo

    name, url = "", ""
    try:
        with Repo(str(root)) as repo:
            name = str(repo.config["core"].get("remote") or "")
            if not name:
                return None
            url = str(repo.config["remote"].get(name, {}).get("url", ""))
            remote = repo.cloud.get_remote(name)
            # One that nothing was sent to has no folder yet, but its bucket is there.
            top = url.partition("://")[2].partition("/")[0] if url.startswith("s3://") else ""
            if top and not remote.fs.exists(top):
                raise ServiceError(
                    f'the DVC remote {name} at {shown(url)} cannot be used: no bucket "{top}"; check its'
                    " name, or make it"
                )
            if remote.fs.exists(remote.path):
                remote.fs.ls(remote.path, detail=False)
    except RefocusError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:300] or type(error).__name__
        doing = f"the DVC remote {name} at {shown(url)} cannot be used"
        raise of_dvc(words, root, doing) or ServiceError(
            f"{doing}: {type(error).__name__}: {words}; check its address and credentials (dvc remote list,"
            " .dvc/config.local)"
        ) from error
    return name, shown(url)


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
