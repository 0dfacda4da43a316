"""The door of git: the commit that holds exactly what a run used, made without touching anybody's
branch, index or files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from components.core.errors import InputError
from components.services.versioning.dvc import GRAPH, LOCK

RUNS = "refs/refocus/runs"
WATCHED = (
    "components",
    "flows",
    GRAPH,
    LOCK,
)  # what a run uses: taken into its commit even when not yet tracked
NOBODY = ("-c", "user.name=refocus", "-c", "user.email=refocus@localhost")


def _git(root: Path, *words: str, extra: Mapping[str, str] | None = None, check: bool = True) -> str:
    if shutil.which("git") is None:
        raise InputError(
            "git is not installed, and a run records the commit it was made from; install git and run the"
            " same command again"
        )
    done = subprocess.run(
        ["git", *words],
        cwd=root,
        env={**os.environ, **(extra or {})},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode != 0:
        raise InputError(f"`git {' '.join(words)}` failed in {root}: {' '.join(done.stderr.split())}")
    return done.stdout.rstrip() if done.returncode == 0 else ""


def need_clone(root: Path) -> None:
    """Refuse a folder that is no git checkout of its own, or has no commit: nothing made there
    could be walked back to its code.
    """
    top = _git(root, "rev-parse", "--show-toplevel", check=False)
    if not top or Path(top).resolve() != root.resolve():
        raise InputError(
            f"{root} is not a git clone (an unpacked archive?), so a model made here could not be walked back"
            ' to its code; run `git init && git add -A && git commit -m "refocus as unpacked"` in it, or'
            " clone the repository instead"
        )
    if not _git(root, "rev-parse", "--verify", "HEAD", check=False):
        raise InputError(
            f'{root} is a git checkout without a commit; run `git add -A && git commit -m "first"` in it'
        )


def commit_exists(commit: str, *, root: Path) -> bool:
    """Whether the commit is in this clone."""
    return bool(commit) and bool(
        _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False)
    )


def changes(root: Path) -> list[str]:
    """What differs from the last commit, one line a file as `git status --short` writes it."""
    return _git(root, "status", "--short", "--untracked-files=normal").splitlines()


def last_run(recipe: str, *, root: Path) -> str | None:
    """The commit of a recipe's latest run, if any."""
    found = _git(
        root, "for-each-ref", "--sort=-refname", "--count=1", "--format=%(objectname)", f"{RUNS}/{recipe}-*"
    )
    return found or None


def file_at(commit: str, path: str, *, root: Path) -> str | None:
    """A file's text in a commit; None when it has no such file."""
    if not _git(root, "cat-file", "-t", f"{commit}:{path}", check=False):
        return None
    return _git(root, "show", f"{commit}:{path}") + "\n"


def snapshot(recipe: str, message: str, *, root: Path) -> str:
    """Commit exactly what lies in the checkout (tracked files, and new ones under components/,
    flows/, dvc.yaml, dvc.lock).

    The commit hangs on refs/refocus/runs/RECIPE-UTC; the branch, the index and the files stay as
    they are. HEAD itself, or the recipe's last run, is given when it holds the same tree. Returns
    the commit's id.
    """
    need_clone(root)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        theirs = root / _git(root, "rev-parse", "--git-path", "index")
        if theirs.is_file():
            shutil.copyfile(theirs, index)  # spares hashing what git knows to be unchanged
        own = {"GIT_INDEX_FILE": str(index)}
        _git(root, "add", "--update", extra=own)
        _git(root, "add", "--", *(name for name in WATCHED if (root / name).exists()), extra=own)
        tree = _git(root, "write-tree", extra=own)
    for candidate in ("HEAD", last_run(recipe, root=root)):
        if candidate and _git(root, "rev-parse", f"{candidate}^{{tree}}") == tree:
            return _git(root, "rev-parse", candidate)
    author = () if _git(root, "var", "GIT_COMMITTER_IDENT", check=False) else NOBODY
    commit = _git(root, *author, "commit-tree", tree, "-p", "HEAD", "-m", message)
    _git(root, "update-ref", f"{RUNS}/{recipe}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}", commit)
    return commit


def add_worktree(folder: Path, *, root: Path) -> None:
    """Check HEAD out into a folder of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _git(root, "worktree", "prune")
    _git(root, "worktree", "add", "--detach", "--quiet", str(folder), "HEAD")


def remove_worktree(folder: Path, *, root: Path) -> None:
    """Take a worktree away, with whatever a run left in it."""
    _git(root, "worktree", "remove", "--force", "--force", str(folder), check=False)
    shutil.rmtree(folder, ignore_errors=True)
    _git(root, "worktree", "prune", check=False)
