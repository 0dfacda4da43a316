"""Runs' commits travel by a git remote: fetched, pushed, remembered where they could not be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from test_versioning import git

from components.services import versioning
from components.services.versioning.runs import remote_for_runs

RUNS = "refs/refocus/runs"


def clone_of(place: Path, far: Path, dvc_url: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(far), str(place)], check=True, capture_output=True)
    (place / ".dvc").mkdir(exist_ok=True)
    (place / ".dvc" / "config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {dvc_url}\n")
    return place


@pytest.fixture
def team(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A git remote, and two clones whose DVC remote is a bucket."""
    far = tmp_path / "far"
    subprocess.run(["git", "init", "-q", "--bare", str(far)], check=True)
    ann = clone_of(tmp_path / "ann", far, "s3://bucket/dvc")
    (ann / "components").mkdir()
    (ann / "components" / "code.py").write_text("1\n")
    git(ann, "add", "components")
    git(ann, "commit", "-qm", "first")
    git(ann, "push", "-q", "origin", "HEAD")
    return far, ann, clone_of(tmp_path / "ben", far, "s3://bucket/dvc")


def runs(root: Path) -> list[str]:
    return git(root, "for-each-ref", "--format=%(refname)", RUNS).splitlines()


def test_a_run_is_pushed_and_had_elsewhere_and_no_branch_moves(team: tuple[Path, Path, Path]) -> None:
    far, ann, ben = team
    branches = git(far, "for-each-ref", "refs/heads"), git(ben, "for-each-ref", "refs/heads", "refs/remotes")
    (ann / "components" / "code.py").write_text("2\n")
    commit = versioning.snapshot("one", "run", root=ann)
    assert versioning.push_runs(root=ann) is None
    assert not versioning.commit_exists(commit, root=ben)
    assert versioning.has_commit(commit, "one", root=ben)
    assert runs(far) == runs(ann) == runs(ben)
    assert (
        git(far, "for-each-ref", "refs/heads"),
        git(ben, "for-each-ref", "refs/heads", "refs/remotes"),
    ) == (branches)
    assert versioning.last_run("one", root=ben) == commit


def test_a_run_of_heads_own_tree_travels_too(team: tuple[Path, Path, Path]) -> None:
    far, ann, _ = team
    (ann / "components" / "code.py").write_text("2\n")
    git(ann, "commit", "-qam", "not pushed")
    commit = versioning.snapshot("one", "run", root=ann)
    assert commit == git(ann, "rev-parse", "HEAD")
    assert versioning.push_runs(root=ann) is None
    assert versioning.commit_exists(commit, root=far)
    assert versioning.snapshot("one", "again", root=ann) == commit
    assert len(runs(ann)) == 1


def test_what_could_not_be_pushed_goes_with_the_next(team: tuple[Path, Path, Path]) -> None:
    far, ann, _ = team
    away = far.rename(far.with_name("away"))
    versioning.snapshot("one", "run", root=ann)
    why = versioning.push_runs(root=ann)
    assert why is not None
    assert why.startswith("the git remote origin (")
    assert versioning.fetch_runs("one", root=ann) is not None
    away.rename(far)
    assert versioning.fetch_runs("two", root=ann) is None, "the next run of whatever recipe"
    assert runs(far) == runs(ann) != []


def test_refs_that_somebody_cleaned_away_do_not_come_back(team: tuple[Path, Path, Path]) -> None:
    far, ann, _ = team
    versioning.snapshot("one", "run", root=ann)
    versioning.push_runs(root=ann)
    git(far, "update-ref", "-d", runs(far)[0])
    assert versioning.push_runs(root=ann) is None
    assert runs(far) == []


def test_which_remote_it_is(team: tuple[Path, Path, Path], tmp_path: Path) -> None:
    far, ann, _ = team
    assert remote_for_runs(ann) == "origin"
    git(ann, "remote", "add", "fork", str(far))
    git(ann, "config", "refocus.runs", "fork")
    assert remote_for_runs(ann) == "fork"
    git(ann, "config", "refocus.runs", "none")
    assert remote_for_runs(ann) is None
    alone = clone_of(tmp_path / "alone", far, "../.refocus/dvc-remote")
    assert remote_for_runs(alone) is None, "its data stays here"
    git(alone, "config", "refocus.runs", "origin")
    assert remote_for_runs(alone) == "origin"


def test_gits_person_is_named(team: tuple[Path, Path, Path]) -> None:
    _, ann, ben = team
    git(ann, "config", "user.name", "Ann Lee")
    git(ann, "config", "user.email", "ann@example.org")
    assert versioning.identity(ann) == "Ann Lee <ann@example.org>"
    assert versioning.identity(ben) is None
