"""The runs' commits on their way between clones: fetched before a run, pushed after it, to a git
remote that all of a team reach. Branches, index and files are never touched.

Which remote: `git config refocus.runs NAME` says it, or `none`; else, where the DVC remote is one
that others reach, the one that the branch follows, `origin`, or the only one. Runs' code goes where
their data goes. What could not be pushed is remembered in git's own folder and goes with the next run.
"""

from __future__ import annotations

import os
from pathlib import Path

from components.services.versioning import outputs
from components.services.versioning.git import RUNS, Answer, asked, commit_exists, unpushed

SETTING, NOWHERE = "refocus.runs", "none"
# A host that is silent is told in seconds; git itself would wait for minutes.
PATIENT = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=20")
SSH, OWN_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10", ("GIT_SSH_COMMAND", "GIT_SSH")
LIMIT_S = 120.0


def remote_for_runs(root: Path) -> str | None:
    """The git remote that runs' commits travel by; None where they stay here."""
    remotes = asked(root, "remote").words.split()
    if not remotes:
        return None
    chosen = asked(root, "config", SETTING).words
    if chosen:
        return None if chosen == NOWHERE else chosen
    if not outputs.is_shared(root):
        return None
    branch = asked(root, "symbolic-ref", "--quiet", "--short", "HEAD").words
    followed = asked(root, "config", f"branch.{branch}.remote").words if branch else ""
    for name in (followed, "origin"):
        if name in remotes:
            return name
    return remotes[0] if len(remotes) == 1 else None


def fetch_runs(recipe: str, *, root: Path) -> str | None:
    """Bring the commits of a recipe's runs elsewhere (of all, for ""); why they could not be had, in words,
    else None.
    """
    remote = remote_for_runs(root)
    if remote is None:
        return None
    push_runs(root=root)
    names = f"{RUNS}/{recipe}-*" if recipe else f"{RUNS}/*"
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, f"{names}:{names}")
    return _why(_far(root, *words), remote)


def has_commit(commit: str, recipe: str, *, root: Path) -> bool:
    """Whether a run's commit is in this clone, or can be fetched from where its runs are pushed."""
    if not commit_exists(commit, root=root):
        fetch_runs(recipe, root=root)
    return commit_exists(commit, root=root)


def push_runs(*, root: Path) -> str | None:
    """Send the commits of runs that were not sent yet; why they could not be, in words, else None."""
    waiting = unpushed(root)
    refs = [f"{RUNS}/{path.name}" for path in sorted(waiting.iterdir())] if waiting.is_dir() else []
    remote = remote_for_runs(root) if refs else None
    if remote is None:
        return None
    there = [ref for ref in refs if asked(root, "rev-parse", "--verify", "--quiet", ref).well]
    if there:
        answer = _far(root, "push", "--quiet", "--no-verify", remote, *(f"{ref}:{ref}" for ref in there))
        if not answer.well:
            return _why(answer, remote)
    for ref in refs:
        (waiting / ref.rsplit("/", 1)[1]).unlink(missing_ok=True)
    return None


def _far(root: Path, *words: str) -> Answer:
    own_ssh = asked(root, "config", "core.sshCommand").well or {*OWN_SSH} & {*os.environ}
    return asked(root, *PATIENT, *words, extra={} if own_ssh else {OWN_SSH[0]: SSH}, limit_s=LIMIT_S)


def _why(answer: Answer, remote: str) -> str | None:
    if answer.well:
        return None
    own = " ".join(answer.refusal.split())[:300] or "git said nothing"
    return f"the git remote {remote} ({own})"
