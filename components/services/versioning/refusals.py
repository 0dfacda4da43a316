"""What git and DVC refuse in their own words, each refusal as a sentence with its remedy. What is
the machine's fault (a full disk, no right) stands in core/causes.py, once for all tools.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from components.core.cause_table import Cause
from components.core.causes import cause_in, free_mb, told
from components.core.errors import BusyError, InputError, RefocusError, ServiceError
from components.core.files import state_folder

Make = Callable[[Path, str], RefocusError]
NO_CLONE = re.compile(r"not a git repository \(or any")


def _no_clone(root: Path, words: str) -> RefocusError:
    return InputError(
        f"{root} is not a git clone (an unpacked archive?), so a model made here could not be walked back"
        ' to its code; run `git init && git add -A && git commit -m "refocus as unpacked"` in it, or'
        " clone the repository instead"
    )


def _not_ours(root: Path, words: str) -> RefocusError:
    return InputError(
        f"git does not trust {root}, since it belongs to another user than the one at work now; give it to"
        " this user (sudo chown -R $(id -u):$(id -g) FOLDER), or, if you trust who owns it, run: git config"
        f" --global --add safe.directory {shlex.quote(str(root))}"
    )


def _by_hand(root: Path, words: str) -> RefocusError:
    found = re.search(r"unable to remove '([^\n]+?)' without", words)
    path = Path(found[1]) if found else root / "data"
    below = path.relative_to(root).parts[:3] if path.is_relative_to(root) else path.parts
    return InputError(
        f"{path} is not what the last run made, and DVC keeps no copy of it: it was changed, put there or"
        f" made by a stage by hand, and a run would lose it. Move it elsewhere if it is wanted, delete"
        f" {Path(*below)}, and run the same command again"
    )


def _says(text: str, kind: type[RefocusError] = InputError) -> Make:
    return lambda root, words: kind(text.format(root=root, words=words))


GIT: Sequence[tuple[re.Pattern[str], Make]] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        ("dubious ownership|unsafe repository", _not_ours),
        (NO_CLONE.pattern, _no_clone),
        (
            "not a git repository: |invalid gitfile format",
            _says(
                "the file .git in {root} leads to a repository that is not there ({words}): a submodule or a"
                " worktree whose main repository was moved or deleted; run `git submodule update --init`, or"
                " `git worktree repair` in the main repository, or clone it afresh"
            ),
        ),
        (
            r"index\.lock|\.lock': file exists|cannot lock ref|unable to create '.*\.lock'",
            _says(
                "another git command is at work in {root}, or one that was killed left its lock ({words});"
                " wait for it, or delete the lock file when no git runs",
                BusyError,
            ),
        ),
        (
            "must be run in a work tree",
            _says("{root} is a bare git repository, without files; clone it, and work in the clone"),
        ),
        (
            "bad config|bad numeric config|invalid config|bad boolean config",
            _says("git's own configuration cannot be read ({words}); correct it"),
        ),
        (
            "repository format|unknown repository extension|git repo version|relativeworktrees",
            _says("the repository {root} was made by a newer git ({words}); install a newer one"),
        ),
        (
            "is corrupt|is empty|bad object|unable to read tree|unable to read sha1|missing blob"
            "|loose object|inflate: data stream error|invalid sha1 pointer|promisor|invalid object",
            _says(
                "the git repository {root} is damaged or not whole ({words}); look with `git fsck`, fetch"
                " what is missing (git fetch), or clone it afresh and copy your changes there"
            ),
        ),
        (
            "smudge filter|clean filter|external filter|git-lfs",
            _says(
                "a filter that this repository asks for could not run ({words}); install it (git-lfs: `git"
                " lfs install`) and run the same command again"
            ),
        ),
        (
            "sparse-checkout|outside of your sparse",
            _says(
                "parts of {root} are left out by a sparse checkout ({words}); a run records all of its code:"
                " `git sparse-checkout disable`"
            ),
        ),
        (
            "already exists|already checked out|already registered",
            _says("git cannot make the run's worktree ({words}); run `git worktree prune` in {root}"),
        ),
        ("hook", _says("a git hook of this machine refused ({words}); let it pass refs/refocus/")),
        (
            "unmerged|needs merge|you have not concluded",
            _says("{root} is in the middle of a merge ({words}); finish or abort it first"),
        ),
        (
            "unknown option|unknown switch|is not a git command|usage: git",
            _says("this git is too old ({words}); install 2.29 or newer"),
        ),
    )
)
DVC: Sequence[tuple[re.Pattern[str], Make]] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (
            "is git-ignored",
            _says(
                "git ignores a file that DVC keeps its record in ({words}); take the pattern out of"
                " .gitignore, .git/info/exclude or your own ignore file (git config core.excludesFile), or"
                " add `!/dvc.lock` to {root}/.gitignore"
            ),
        ),
        ("unable to remove '.*' without a confirmation", _by_hand),
        (
            "unable to acquire lock|is busy, it is being blocked|has been locked",
            _says("another dvc command is at work in {root} ({words}); wait for it", BusyError),
        ),
        (
            "configuration error|config file error",
            _says("DVC's configuration cannot be read ({words}); correct it"),
        ),
        ("not owned by current user|dubious ownership", _not_ours),
        (
            "unable to find aws credentials|unable to locate credentials|access ?denied|forbidden"
            "|invalidaccesskey",
            _says(
                "DVC's remote refuses access ({words}); check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
                " AWS_PROFILE, and their rights to the bucket",
                ServiceError,
            ),
        ),
    )
)


def of_git(words: str, root: Path, command: Sequence[str]) -> RefocusError:
    """The sentence for what git wrote to stderr when a command failed."""
    own = " ".join(words.split())[:400]
    return (
        _in(GIT, words, root, own)
        or _of_machine(words, root, f"git cannot work in {root}", own)
        or InputError(f"`git {' '.join(command)}` failed in {root}: {own or 'it said nothing'}")
    )


def errors_in(stderr: str) -> str:
    """What DVC says went wrong, in a line; its last words where it names no error."""
    told = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return " ".join(told) or stderr.strip()[-500:]


def of_dvc(words: str, root: Path, doing: str) -> RefocusError | None:
    """The sentence for DVC's words, None when they are none of a known kind."""
    own = " ".join(words.split())[:400]
    return _in(DVC, words, root, own) or _of_machine(words, root, doing, own)


def _in(
    table: Sequence[tuple[re.Pattern[str], Make]], words: str, root: Path, own: str
) -> RefocusError | None:
    small = words.lower()
    return next((make(root, own) for pattern, make in table if pattern.search(small)), None)


def _of_machine(words: str, root: Path, doing: str, own: str) -> RefocusError | None:
    cause = cause_in(words)
    if cause is None or cause.name in ("missing", "in the way"):
        return None
    return told(cause, place=_place(cause, words, root), doing=doing, why=own)


def _place(cause: Cause, words: str, root: Path) -> Path:
    """The path that the words name; for a disk, else the fullest of those at hand."""
    named = re.search(r"'(/[^'\n]+)'", words)
    if named and cause.name not in ("full disk", "broken disk"):
        return Path(named[1])
    site = Path(os.environ.get("DVC_SITE_CACHE_DIR") or "/var/tmp")
    temporary = Path(tempfile.gettempdir())
    places = [root, state_folder(), temporary, site, *([Path(named[1])] if named else [])]
    return min(places, key=lambda place: free if (free := free_mb(place)) is not None else float("inf"))
