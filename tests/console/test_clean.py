"""`refocus clean` takes away what nobody needs, never what a registered version rests on, and says why the
rest stays.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from components.console.clean import clean, look
from components.console.clean.items import DAY_S, Retention, bytes_of
from components.core.errors import InputError, ServiceError
from components.core.locks import locked
from components.core.records import ModelVersion
from components.pipeline.project import Project
from components.services import storage, tracking, versioning
from components.services.tracking import registry
from components.services.tracking import store as door
from components.services.versioning.git import RUNS

KEEP = Retention(days=30, runs=2, trainings=2)
OLD_S = time.time() - 100 * DAY_S


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "refocus"
    (root / ".refocus").mkdir(parents=True)
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "1")
    monkeypatch.setenv("REFOCUS_HOME", str(root / ".refocus"))
    monkeypatch.chdir(root)
    return Project(root, root / ".refocus")


def git(root: Path, *words: str, at: str = "2026-11-01T00:00:00Z") -> str:
    who = {f"GIT_{role}_{what}": "t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    done = subprocess.run(
        ["git", *words],
        cwd=root,
        env={**os.environ, **who, **dates},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def a_run(project: Project, recipe: str, day: int) -> str:
    """A run's commit of that day in January 2020."""
    at = f"2020-01-{day:02d}T00:00:00Z"
    commit = git(project.root, "commit-tree", "HEAD^{tree}", "-m", f"{recipe} {day}", at=at)
    git(project.root, "update-ref", f"{RUNS}/{recipe}-202001{day:02d}T000000.000000Z", commit)
    return commit


def going(project: Project, kind: str, keep: Retention = KEEP, *, and_registered: bool = False) -> list[str]:
    """Names of that kind that would go."""
    found = look(project, keep, and_registered=and_registered)
    return [item.name for item in found if item.kind == kind and item.goes]


def aged(place: Path, at_s: float = OLD_S) -> Path:
    """A file of that moment, with the folder around it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x" * 100)
    for each in (place, place.parent):
        os.utime(each, (at_s, at_s))
    return place


def test_commits_of_runs_go_but_the_newest_the_young_and_the_registered(project: Project) -> None:
    commits = {day: a_run(project, "demo", day) for day in range(1, 6)}
    a_run(project, "demo-two", 1)
    young = git(project.root, "rev-parse", "HEAD")
    git(project.root, "update-ref", f"{RUNS}/other-20261101T000000.000000Z", young)
    client = door.client()
    client.create_registered_model("demo")
    client.create_model_version("demo", "s3://nowhere/x", None, tags={registry.GIT_COMMIT: commits[2]})
    names = {day: f"demo-202001{day:02d}T000000.000000Z" for day in commits}
    assert going(project, "commits of runs") == [names[3], names[1]]
    assert names[2] in going(project, "commits of runs", and_registered=True)
    assert going(project, "commits of runs", Retention(days=1e5, runs=1)) == []
    why = {item.name: item.why for item in look(project, KEEP)}
    assert why[names[2]] == "demo version 1 was made by it"
    assert why[names[5]] == why[names[4]] == "one of the newest 2 of demo"
    clean(project, KEEP, dry_run=True)
    assert len(versioning.run_commits(project.root)) == 7
    clean(project, KEEP, dry_run=False)
    assert {run.name for run in versioning.run_commits(project.root)} >= {names[2], names[4], names[5]}
    assert len(versioning.run_commits(project.root)) == 5


def test_where_the_registry_does_not_answer_no_commit_goes(
    project: Project, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(project, "demo", 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(ServiceError, match="does not answer"):
        clean(project, KEEP, dry_run=False)
    assert len(versioning.run_commits(project.root)) == 1


def test_worktrees_of_runs_that_are_gone_go(project: Project) -> None:
    folder = project.state / "worktrees" / "demo-20200101T000000Z-999999"
    versioning.add_worktree(folder, root=project.root)
    working = project.state / "worktrees" / f"demo-20200101T000000Z-{os.getpid()}"
    working.mkdir()
    assert going(project, "worktrees") == [folder.name]
    clean(project, KEEP, dry_run=False)
    assert [each.name for each in folder.parent.iterdir()] == [working.name]
    assert folder.name not in git(project.root, "worktree", "list")


def test_states_of_old_trainings_go_but_not_of_a_run_at_work(project: Project) -> None:
    names = [f"demo-{index:020x}" for index in range(4)]
    for index, name in enumerate(names):
        aged(project.state / "training" / name / "state-1.pt", OLD_S + index)
    aged(project.state / "training" / "somebodys notes" / "x")
    assert going(project, "states of trainings") == [names[1], names[0]]
    with locked(project.state / "locks" / "demo.lock", patience_s=0):
        assert going(project, "states of trainings") == []
    clean(project, KEEP, dry_run=False)
    left = sorted(each.name for each in (project.state / "training").iterdir())
    assert left == [*names[2:], "somebodys notes"]


@pytest.mark.parametrize("variable", ["REFOCUS_TRAINING_STORAGE", "REFOCUS_STORE"])
def test_states_in_a_bucket_go_by_the_same_rule_when_nobody_wrote_to_them_lately(
    variable: str, project: Project, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{bucket}/states" if variable.endswith("STORAGE") else f"{bucket}/states/training"
    monkeypatch.setenv(variable, f"{bucket}/states")
    for index in range(4):
        storage.put(b"x" * 50, f"{place}/demo-{index:020x}/checkpoint/state.pt")
    storage.put(b"x", f"{place}/elses.txt")
    assert going(project, f"states in {place}") == []
    monkeypatch.setattr("components.console.clean.states.AT_WORK_S", -60.0)
    assert len(going(project, f"states in {place}")) == 2
    clean(project, KEEP, dry_run=False)
    left = [name for name, _ in storage.list_objects(place)]
    assert len(left) == 3
    assert "elses.txt" in left


@pytest.mark.parametrize("kind", ["ingest", "synthesize", "measured", "describe", "blur-atlas", "compare"])
def test_caches_and_pages_go_when_nobody_used_them_for_long(kind: str, project: Project) -> None:
    old = aged(project.state / kind / "old")
    young = aged(project.state / kind / "young", time.time())
    assert going(project, "caches and pages") == [f"{kind}/old"]
    clean(project, KEEP, dry_run=False)
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize(
    "name",
    ["weights/net.pth", "mlflow.db", "dvc-remote/aa/bb", "timings/demo.jsonl", "locks/demo.lock", "notes"],
)
def test_what_clean_does_not_know_is_not_touched(name: str, project: Project) -> None:
    kept = aged(project.state / name) if name != "mlflow.db" else project.state / "elses.db"
    kept.touch()
    clean(project, Retention(days=0, runs=1, trainings=1), dry_run=False)
    assert kept.is_file()


def test_what_was_set_aside_goes_after_the_retention(project: Project) -> None:
    old = aged(project.state / "verdicts" / "demo.json.unreadable")
    young = aged(project.state / "verdicts" / "two.json.unreadable", time.time())
    assert going(project, "set aside") == [old.name]
    clean(project, KEEP, dry_run=False)
    assert (old.exists(), young.exists()) == (False, True)


def test_files_of_a_killed_registering_go_and_those_of_versions_stay(
    project: Project, tmp_path: Path
) -> None:
    source = tmp_path / "model"
    aged(source / "MLmodel")
    tags = {registry.CHECKPOINT: "0" * 64}
    version = tracking.add_version("kept", source, run_id=None, tags=tags, description="")
    client = door.client()
    place = door.experiment(tracking.tracking_uri(), door.experiment_name())
    lost, elses = (client.create_logged_model(place, name="m", tags=each) for each in (tags, {}))
    for each in (lost, elses):
        client.log_model_artifacts(each.model_id, str(source))
    assert going(project, "files of models") == [], "it may be on its way"
    (found,) = tracking.models_without_version()
    assert found.id == lost.model_id
    assert bytes_of(found.folder or tmp_path) == 100
    tracking.forget_model(found)
    assert list(tracking.models_without_version()) == []
    assert tracking.files_of(version.name, version.number) == {"MLmodel": 100}
    assert going(project, "files of models") == []


def test_a_record_of_a_version_that_is_gone_goes(project: Project) -> None:
    door.client().create_registered_model("there")
    door.client().create_model_version("there", "s3://nowhere/x", None)
    for recipe, name in (("a", "there"), ("b", "gone")):
        made = ModelVersion(name=name, version=1, checkpoint="0" * 64, report="0" * 64, recipe="0" * 64)
        made.save(project.state / "registered" / recipe)
    assert going(project, "registered") == ["b"]


def test_a_dry_run_changes_nothing_and_says_what_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in (1, 2, 3):
        a_run(project, "demo", day)
    before = sorted(project.root.rglob("*"))
    assert clean(project, KEEP, dry_run=True) == 0
    words = capsys.readouterr().out
    assert "commits of runs: 1 of 3 would go" in words
    assert "+ demo-20200103T000000.000000Z  0 B  one of the newest 2 of demo" in words
    assert words.splitlines()[-1] == "1 of 3 things would go, 0 B; nothing else was touched"
    assert sorted(project.root.rglob("*")) == before


@pytest.mark.parametrize("value", ["soon", "-1", "nan"])
def test_a_retention_that_is_no_number_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_KEEP_DAYS", value)
    with pytest.raises(InputError, match=r"REFOCUS_KEEP_DAYS .*a number from 0 up"):
        Retention.of()


def test_what_the_command_is_given_comes_before_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_KEEP_DAYS", "7")
    monkeypatch.setenv("REFOCUS_KEEP_RUNS", "0")
    assert Retention.of() == Retention(days=7, runs=1)
    assert Retention.of(days=3, trainings=5) == Retention(days=3, runs=1, trainings=5)
