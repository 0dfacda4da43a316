"""git as hooks, owners, submodules and personal settings make it: a run is recorded in its own
repository, or the refusal has its own sentence.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from components.core.errors import BusyError, InputError, RefocusError
from components.services import versioning
from components.services.versioning import refusals


def git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", *words],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def repository(root: Path) -> Path:
    (root / "components" / "core").mkdir(parents=True)
    (root / "components" / "core" / "code.py").write_text("first\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    git(root.parent, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "clone")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return repository(tmp_path / "other")


def test_a_hooks_variables_lead_no_commit_into_another_repository(
    root: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git(other, "for-each-ref"), git(other, "count-objects")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_PREFIX", "components/")
    (root / "components" / "new.py").write_text("new\n")
    versioning.need_clone(root)
    commit = versioning.snapshot("one", "run", root=root)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        assert name not in versioning.process.child_environment()
        monkeypatch.delenv(name)
    assert (git(other, "for-each-ref"), git(other, "count-objects")) == before
    assert git(root, "show", f"{commit}:components/new.py") == "new"


def test_a_repository_of_another_user_is_told_with_both_remedies(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to try this
    with pytest.raises(InputError, match=r"another user.*chown.*safe\.directory") as caught:
        versioning.need_clone(root)
    assert "git init" not in str(caught.value)


def test_what_a_person_ignores_everywhere_is_recorded_all_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ignore").write_text("*.lock\ncore\n*.yaml\n")
    (tmp_path / "config").write_text(
        f"[core]\n\texcludesFile = {tmp_path / 'ignore'}\n\tsafecrlf = true\n\tautocrlf = input\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    (root / "dvc.lock").write_text("lock\n")
    (root / "components" / "core" / "new.py").write_text("new\r\n")
    (root / "components" / "core" / "dump").write_text("of a crash")
    assert versioning.ignored(root, "dvc.lock", "dvc.yaml") == ["dvc.lock", "dvc.yaml"]
    commit = versioning.snapshot("one", "run", root=root)
    listed = git(root, "ls-tree", "-r", "--name-only", commit).splitlines()
    assert {"dvc.lock", "components/core/new.py"} <= set(listed)
    assert "components/core/dump" not in listed


def test_this_repository_keeps_dvcs_record_whatever_is_ignored_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(__file__).parents[2] / ".gitignore"
    (root / ".gitignore").write_text(own.read_text())
    (tmp_path / "ignore").write_text("*.lock\n*.yaml\n")
    (tmp_path / "config").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignore'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert versioning.ignored(root, "dvc.lock", "dvc.yaml") == []


@pytest.mark.parametrize("kind", ["submodule", "worktree"])
def test_a_checkout_inside_another_repository_is_a_clone_of_its_own(
    root: Path, other: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "submodule":
        git(other, "submodule", "add", "-q", str(root), "part")
        here = other / "part"
    else:
        here = tmp_path / "linked"
        git(root, "worktree", "add", "-q", "--detach", str(here))
    versioning.need_clone(here)
    (here / "components" / "new.py").write_text("new\n")
    commit = versioning.snapshot("one", "run", root=here)
    assert git(here, "show", f"{commit}:components/new.py") == "new"
    folder = tmp_path / "state" / "night"
    versioning.add_worktree(folder, root=here)
    assert (folder / "components" / "core" / "code.py").read_text() == "first\n"
    versioning.need_clone(folder)
    versioning.remove_worktree(folder, root=here)
    assert not folder.exists()


def test_no_hook_has_a_say_in_what_is_recorded(root: Path) -> None:
    for name in ("reference-transaction", "post-checkout"):
        hook = root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    (root / "components" / "new.py").write_text("new\n")
    versioning.snapshot("one", "run", root=root)
    versioning.add_worktree(root.parent / "night", root=root)
    assert (root.parent / "night" / "dvc.yaml").is_file()


def break_gitfile(root: Path) -> None:
    (root / ".git").rename(root.parent / "gone")
    (root / ".git").write_text(f"gitdir: {root.parent}/nowhere/.git/modules/part\n")


def break_config(root: Path) -> None:
    (root / ".git" / "config").write_text("[core\n")


def break_format(root: Path) -> None:
    git(root, "config", "core.repositoryFormatVersion", "9")


def break_object(root: Path) -> None:
    for path in (root / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"")


def make_bare(root: Path) -> None:
    git(root, "config", "core.bare", "true")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (break_gitfile, "leads to a repository that is not there .*git worktree repair"),
        (break_config, "configuration cannot be read .*correct it"),
        (break_format, "newer git"),
        (break_object, "damaged or not whole .*git fsck"),
        (make_bare, "bare git repository.*clone it"),
        (lambda root: (root / ".git").rename(root.parent / "gone"), "not a git clone.*git init"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_each_refusal_of_git_has_its_own_sentence(root: Path, broken: object, said: str) -> None:
    broken(root)  # type: ignore[operator]
    with pytest.raises(InputError, match=said) as caught:
        versioning.need_clone(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("fatal: Unable to create '/x/.git/index.lock': File exists.", BusyError, "another git command"),
        (
            "error: insufficient permission for adding an object to repository database .git/objects",
            InputError,
            "sudo chown",
        ),
        ("fatal: cannot create directory: No space left on device", InputError, "the disk is full"),
        (
            "git-lfs filter-process: git-lfs: not found\nfatal: x: smudge filter lfs failed",
            InputError,
            "git-lfs",
        ),
        ("fatal: ref updates aborted by hook", InputError, "hook"),
        ("error: unknown option `pathspec-from-file=-'", InputError, "too old"),
        ("fatal: something that nobody has seen yet", InputError, "`git add` failed .*nobody has seen"),
    ],
)
def test_words_that_are_hard_to_bring_about_have_theirs_too(
    words: str, kind: type[RefocusError], said: str, tmp_path: Path
) -> None:
    told = refusals.of_git(words, tmp_path, ("add",))
    assert isinstance(told, kind)
    with pytest.raises(kind, match=said):
        raise told


def test_the_names_that_git_calls_local_to_a_repository_are_left_out() -> None:
    from components.core.surroundings import OF_ANOTHER_REPOSITORY

    local = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True
    ).stdout.split()
    kept = {"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"}  # settings, such as safe.directory in CI
    assert set(local) - kept <= set(OF_ANOTHER_REPOSITORY)
    assert os.environ["GIT_CONFIG_NOSYSTEM"] == "1"
