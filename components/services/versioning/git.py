"""The door of git: the commit that holds exactly what a run used, made without touching anybody's
branch, index or files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.core.errors import InputError
from components.core.surroundings import OF_ANOTHER_REPOSITORY
from components.services.versioning.dvc import LOCK
from components.services.versioning.graph import GRAPH
from components.services.versioning.refusals import of_git

RUNS = "refs/refocus/runs"
WATCHED = (
    "components",
    "flows",
    GRAPH,
    LOCK,
)  # what a run uses: taken into its commit even when not yet tracked
NOBODY = ("-c", "user.name=refocus", "-c", "user.email=refocus@localhost")
# No hook of this machine (a linter, git-lfs) has a say in what is recorded, and line endings are none
# of it.
PLAIN = ("-c", "core.hooksPath=/dev/null", "-c", "core.safecrlf=false", "-c", "core.fsmonitor=false")
FORCED = ("add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul")
SOURCE = (".py", ".yaml", ".j2", ".json", ".txt")


def asked(
    root: Path,
    *words: str,
    extra: Mapping[str, str] | None = None,
    stdin: str | None = None,
    limit_s: float | None = None,
) -> Answer:
    """Ask git in ROOT, whatever a hook or an alias around us has set, in the language that
    refusals.py reads. limit_s: for what asks another machine, which may never answer.
    """
    if shutil.which("git") is None:
        raise InputError(
            "git is not installed, and a run records the commit it was made from; install git and run the"
            " same command again"
        )
    kept = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    plain = {"LC_ALL": "C", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *PLAIN, *words],
            cwd=root,
            env={**kept, **plain, **(extra or {})},
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            input=stdin or "",
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, "", f"no answer in {limit_s:.0f} s")
    return Answer(done.returncode == 0, done.stdout.rstrip("\n"), done.stderr)


@dataclass(frozen=True)
class Answer:
    """What git said."""

    well: bool
    words: str
    refusal: str


def _git(
    root: Path,
    *words: str,
    extra: Mapping[str, str] | None = None,
    check: bool = True,
    stdin: str | None = None,
) -> str:
    """git's answer; without `check` nothing when it says no. Raises the sentence of its refusal."""
    answer = asked(root, *words, extra=extra, stdin=stdin)
    if check and not answer.well:
        raise of_git(answer.refusal, root, words)
    return answer.words if answer.well else ""


def need_clone(root: Path) -> None:
    """Refuse a folder that is no git checkout of its own, or has no commit: nothing made there
    could be walked back to its code.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if Path(top).resolve() != root.resolve():
        raise of_git("not a git repository (or any of its own)", root, ())
    head = asked(root, "rev-parse", "--verify", "HEAD^{commit}")
    if not head.well and "Needed a single revision" in head.refusal:
        raise InputError(
            f'{root} is a git checkout without a commit; run `git add -A && git commit -m "first"` in it'
        )
    if not head.well:
        raise of_git(head.refusal, root, ("rev-parse", "HEAD"))


def identity(place: Path) -> str | None:
    """The person that git's settings at a place name, `Ann Lee <ann@example.org>`; None where they name
    nobody.
    """
    if shutil.which("git") is None:
        return None
    name, email = (asked(place, "config", f"user.{each}").words for each in ("name", "email"))
    return f"{name} <{email}>" if name and email else name or email or None


def commit_exists(commit: str, *, root: Path) -> bool:
    """Whether the commit is in this clone."""
    return bool(commit) and bool(
        _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False)
    )


def head(*, root: Path) -> str:
    """The last commit's id."""
    return _git(root, "rev-parse", "HEAD")


def changes(root: Path) -> list[str]:
    """What differs from the last commit, one line a file as `git status --short` writes it."""
    return _git(root, "status", "--short", "--untracked-files=normal").splitlines()


def ignored(root: Path, *names: str) -> list[str]:
    """Those of the names that git ignores, by whoever's rule."""
    return [name for name in names if asked(root, "check-ignore", "--quiet", "--no-index", name).well]


def last_run(recipe: str, *, root: Path) -> str | None:
    """The commit of a recipe's latest run, if any."""
    own = f"{RUNS}/{recipe}-{'[0-9]' * 8}T*Z"  # and none of a recipe called RECIPE-wide
    found = _git(root, "for-each-ref", "--sort=-refname", "--count=1", "--format=%(objectname)", own)
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
    they are. HEAD itself (which then gets such a ref, to travel by), or the recipe's last run, is given
    when it holds the same tree. Returns the commit's id.
    """
    need_clone(root)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        theirs = root / _git(root, "rev-parse", "--git-path", "index")
        if theirs.is_file():
            shutil.copyfile(theirs, index)  # spares hashing what git knows to be unchanged
        own = {"GIT_INDEX_FILE": str(index)}
        _git(root, "add", "--update", extra=own)
        here = [name for name in WATCHED if (root / name).exists()]
        _git(root, "add", "--", *(name for name in here if (root / name).is_dir()), extra=own)
        _git(root, *FORCED, extra=own, stdin="\0".join(_named_or_ignored(root, here)))
        tree = _git(root, "write-tree", extra=own)
    last = last_run(recipe, root=root)
    for candidate in ("HEAD", last):
        if candidate and _git(root, "rev-parse", f"{candidate}^{{tree}}") == tree:
            commit = _git(root, "rev-parse", candidate)
            return commit if commit == last else _kept(recipe, commit, root)
    author = () if _git(root, "var", "GIT_COMMITTER_IDENT", check=False) else NOBODY
    commit = _git(root, *author, "commit-tree", tree, "-p", "HEAD", "-m", message)
    return _kept(recipe, commit, root)


def unpushed(root: Path) -> Path:
    """The folder that holds a file for each run's ref which was not sent anywhere yet."""
    return (root / _git(root, "rev-parse", "--git-common-dir")).resolve() / "refocus-unpushed"


def _kept(recipe: str, commit: str, root: Path) -> str:
    """A commit with a ref of its run."""
    name = f"{recipe}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    waiting = unpushed(root)
    waiting.mkdir(exist_ok=True)
    (waiting / name).touch()  # before the ref, lest a kill in between leave it here for good
    _git(root, "update-ref", f"{RUNS}/{name}", commit)
    return commit


def _named_or_ignored(root: Path, here: list[str]) -> list[str]:
    """The files that a run uses although somebody's own ignore file (`*.lock`, `core`) names them."""
    folders = [name for name in here if (root / name).is_dir()]
    listed = _git(root, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *folders)
    ignored = [name for name in listed.split("\0") if name.endswith(SOURCE) and "__pycache__" not in name]
    return [name for name in here if name not in folders] + (ignored if folders else [])


def add_worktree(folder: Path, *, root: Path, commit: str = "HEAD") -> None:
    """Check a commit out into a folder of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _git(root, "worktree", "prune")
    _git(root, "worktree", "add", "--detach", "--quiet", str(folder), commit)


def remove_worktree(folder: Path, *, root: Path) -> None:
    """Take a worktree away, with whatever a run left in it."""
    _git(root, "worktree", "remove", "--force", "--force", str(folder), check=False)
    shutil.rmtree(folder, ignore_errors=True)
    _git(root, "worktree", "prune", check=False)
