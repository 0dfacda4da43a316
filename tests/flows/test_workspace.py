"""One run of a recipe at a time, and what a killed one left behind is ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "register"))

import psutil
import pytest
from chain import make_chain

from components.console import commands
from components.core.errors import BusyError, InputError, LineageError, RefocusError
from components.core.records import EvalReport
from components.pipeline import stages
from components.pipeline.project import Project, project_root
from flows.workspace import workspace


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The least that counts as a checkout."""
    monkeypatch.delenv("REFOCUS_HOME", raising=False)
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    demo = (project_root() / "components" / "recipes" / "demo.yaml").read_text()
    for name in ("demo", "other"):
        (folder / f"{name}.yaml").write_text(demo.replace("\nname: demo\n", f"\nname: {name}\n"))
    (tmp_path / "dvc.yaml").write_text("vars:\n  - recipes: [demo, other]\nstages: {}\n")
    (tmp_path / ".gitignore").write_text(".refocus\n")
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return Project.at(tmp_path)


def test_a_second_run_of_the_same_recipe_is_refused_naming_the_first(project: Project) -> None:
    with workspace("demo", project):
        with (
            pytest.raises(
                BusyError, match=rf"another run of demo is at work: process {os.getpid()} since \d{{4}}-"
            ),
            workspace("demo", project),
        ):
            pass
        with workspace("other", project) as space:
            assert space.root == project.root


@pytest.mark.parametrize("command", ["ingest", "synthesize", "train", "evaluate"])
def test_a_stage_by_hand_waits_for_no_run_and_is_refused_while_one_is_at_work(
    command: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would change what the run has read or is about to write; nor does it leave word for that run."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("REFOCUS_HOME", str(project.state))

    def reached(*records: object, out: Path) -> None:
        raise InputError("its work begins")

    monkeypatch.setattr(stages.Stage, "run", property(lambda stage: reached))
    with workspace("demo", project), pytest.raises(BusyError, match=r"another run of demo is at work"):
        commands.run([command, "demo"])
    with pytest.raises(RefocusError) as missing:  # what the stage before it makes, or photos
        commands.run([command, "demo"])
    assert not isinstance(missing.value, BusyError)
    assert not (project.state / "status").exists()


def test_a_stage_of_a_run_has_its_lock_already(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    with workspace("demo", project) as run:
        for name, value in run.for_stages.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(LineageError, match="no PhotoSet"):
            commands.run(["synthesize", "demo"])
        assert (project.state / "status" / "demo-synthesize.json").is_file()
        with pytest.raises(
            LineageError, match="no PhotoSet"
        ):  # another recipe's, though within the run's shell
            commands.run(["synthesize", "other"])
        assert not (project.state / "status" / "other-synthesize.json").exists()


@pytest.mark.parametrize("by", ["hand", "a run"])
def test_an_evaluation_by_hand_says_its_figures_and_a_runs_leaves_them_to_the_run(
    by: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_chain(project.root / "data" / "demo")

    def measured(*records: object, out: Path) -> EvalReport:
        return made.report

    monkeypatch.chdir(project.root)
    monkeypatch.setenv("REFOCUS_HOME", str(project.state))
    monkeypatch.setattr(stages.Stage, "run", property(lambda stage: measured))
    if by == "a run":
        monkeypatch.setenv("REFOCUS_RUN", "demo")
    commands.run(["evaluate", "demo"])
    said = capsys.readouterr().out
    assert ("+1.00 dB" in said and f"report         {made.report.folder / 'report.html'}" in said) == (
        by == "hand"
    )
    assert said.splitlines()[-1].startswith("evaluate of demo: EvalReport ")


def test_photos_are_given_on_for_the_length_of_the_run(project: Project) -> None:
    with workspace("demo", project, photos="s3://bucket/photos") as run:
        assert run.recipe.ingest.photos == "s3://bucket/photos"
        assert run.for_stages["REFOCUS_PHOTOS"] == "s3://bucket/photos"
        assert run.for_stages["REFOCUS_HOME"] == str(project.root / ".refocus")
        assert os.environ["REFOCUS_HOME"] == str(project.root / ".refocus")
    assert "REFOCUS_PHOTOS" not in os.environ
    assert "REFOCUS_HOME" not in os.environ


def test_a_recipe_without_stages_is_refused(project: Project) -> None:
    with pytest.raises(InputError, match='no stages for recipe "dmo"'), workspace("dmo", project):
        pass


def test_what_a_killed_run_left_at_work_is_ended_before_the_next_begins(project: Project) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1200)"], start_new_session=True)
    holder = project.state / "locks" / "demo.json"
    holder.parent.mkdir(parents=True)
    holder.write_text(
        json.dumps(
            {
                "pid": 1,
                "since": "then",
                "child": left.pid,
                "child_since": psutil.Process(left.pid).create_time(),
            }
        )
    )
    with workspace("demo", project):
        left.wait(
            timeout=120
        )  # it would sleep for twenty minutes; with what code it ended is known to whoever waited first
        assert not psutil.pid_exists(left.pid)


def test_a_stranger_with_the_same_number_is_left_alone(project: Project) -> None:
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1200)"], start_new_session=True
    )
    holder = project.state / "locks" / "demo.json"
    holder.parent.mkdir(parents=True)
    holder.write_text(json.dumps({"pid": 1, "since": "then", "child": stranger.pid, "child_since": 1.0}))
    try:
        with workspace("demo", project):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
