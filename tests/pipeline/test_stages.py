"""The table of stages: names, folders, and what is refused before a stage begins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from bundled import bundled_into
from one_stage import run_stage

from components import recipes
from components.core.errors import InputError, LineageError, StageError
from components.core.records import PhotoSet, Provenance
from components.core.temporaries import PREFIX, new_temporary
from components.pipeline import project, stages
from components.pipeline.project import Project, Run


def test_every_stage_has_a_run_of_its_own() -> None:
    assert all(callable(stage.run) for stage in (*stages.STAGES, stages.REGISTER))


def test_a_stage_takes_only_what_stages_before_it_gave() -> None:
    given: set[type] = set()
    for stage in (*stages.STAGES, stages.REGISTER):
        assert set(stage.takes) <= given
        given.add(stage.gives)


def test_an_old_torch_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        InputError, match=r"torch 2\.11 or newer is needed, 2\.4\.0 is installed; .*constraints"
    ):
        stages.need_torch("2.4.0")
    stages.need_torch("2.11.0")


def test_a_stage_without_the_records_it_takes_names_the_one_to_make(tmp_path: Path) -> None:
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").write_text(
        (project.project_root() / "components" / "recipes" / "demo.yaml").read_text()
    )
    with pytest.raises(
        LineageError, match=r"no PhotoSet at .*photos/photoset\.json; run the stage that makes it first"
    ):
        run_stage("synthesize", Run.of(Project.at(tmp_path), "demo"))


@pytest.mark.parametrize("name", ["synthesize", "train", "evaluate", "register"])
def test_every_stage_first_takes_away_what_a_killed_one_left(name: str, tmp_path: Path) -> None:
    run, way = Run.of(Project.at(bundled_into(tmp_path)), "demo"), tmp_path / ".dvc" / "tmp" / "refocus"
    way.mkdir(parents=True)
    left, living = way / f"{PREFIX}{os.getpid()}-1-a.json", new_temporary(tmp_path / "b.json")
    left.touch()
    provenance = Provenance(git_commit="0" * 40, dvc={})
    with pytest.raises(LineageError, match=r"no (PhotoSet|PairSet)"):  # before it misses anything
        stages.register(run, provenance) if name == "register" else run_stage(name, run)
    assert (left.exists(), living.exists()) == (False, True)


def test_records_lie_in_the_recipes_own_folder(tmp_path: Path) -> None:
    assert project.folder_of(tmp_path, "demo", PhotoSet) == tmp_path / "data" / "demo" / "photos"


def test_a_wrong_stage_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no stage "evaluat".*Did you mean "evaluate"'):
        stages.stage_named("evaluat")


@pytest.mark.parametrize("name", [stage.name for stage in stages.STAGES])
def test_a_file_from_elsewhere_is_not_taken_for_the_recipe_of_its_name(name: str, tmp_path: Path) -> None:
    project = Project.at(bundled_into(tmp_path / "checkout"))
    own = tmp_path / "checkout" / "components" / "recipes" / "demo.yaml"
    (tmp_path / "demo.yaml").write_text(own.read_text().replace("ema: 0.995", "ema: 0.9"))
    with pytest.raises(InputError, match=r"is not the recipe demo of this checkout.*data/demo; put it there"):
        run_stage(name, Run.of(project, str(tmp_path / "demo.yaml")))
    if name != "ingest":
        with pytest.raises(LineageError, match="no P"):
            run_stage(name, Run.of(project, str(own)))


def test_a_result_that_could_not_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worked(*records: object, out: Path) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(stages.Stage, "run", property(lambda stage: worked))
    run = Run.of(Project.at(bundled_into(tmp_path)), "demo")
    (tmp_path / "data").touch()
    with pytest.raises(InputError, match=r"nothing can be written to the folder .*data/demo/photos"):
        run_stage("ingest", run)


@pytest.mark.parametrize("edited", ["code", "recipe", "new file"])
def test_a_result_of_code_that_was_edited_meanwhile_is_not_kept(
    edited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC would note the new code beside it."""
    folder = tmp_path / "components" / "recipes"
    folder.mkdir(parents=True)
    shutil.copyfile(Path(recipes.__file__).parent / "demo.yaml", folder / "demo.yaml")
    (tmp_path / "components" / "loss.py").write_text("weight = 1\n")
    run = Run.of(Project(tmp_path, tmp_path / ".refocus"), "demo")
    places = {
        "code": tmp_path / "components" / "loss.py",
        "recipe": folder / "demo.yaml",
        "new file": tmp_path / "components" / "new.py",
    }

    def edit(*records: object, out: Path) -> None:
        with places[edited].open("a") as stream:
            stream.write("# edited\n")

    monkeypatch.setattr(stages.Stage, "run", property(lambda stage: edit))
    with pytest.raises(StageError, match=rf"{places[edited].name} changed while ingest was at work"):
        run_stage("ingest", run)
