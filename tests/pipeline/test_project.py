"""A run is made once: its recipe is read once, and what crosses to a stage's process arrives there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from bundled import bundled_into

from components import recipes
from components.core.errors import InputError, RecipeError
from components.pipeline.project import Project, Run, project_root

HERE = Project(project_root(), Path("state"))


def test_a_run_knows_where_it_is_what_it_runs_and_where_state_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path))
    run = Run.of(Project.at(project_root()), "demo")
    assert (run.name, run.root, run.project.state) == ("demo", project_root(), tmp_path)
    assert run.recipe == recipes.load("demo")
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.photos = "elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize("photos", ["s3://bucket/photos", "a folder/with spaces", None])
def test_what_a_run_gives_its_stages_makes_the_same_run_of_them(
    photos: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.of(Project(project_root(), tmp_path), "demo", photos=photos)
    for name, value in run.for_stages.items():
        monkeypatch.setenv(name, value)
    again = Run.of(Project.at(project_root()), "demo")
    assert (again.project, again.recipe, again.photos) == (run.project, run.recipe, photos)


def test_photos_given_by_hand_go_before_those_of_the_run_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_PHOTOS", "around")
    assert Run.of(HERE, "demo").recipe.ingest.photos == "around"
    assert Run.of(HERE, "demo", photos="by hand").recipe.ingest.photos == "by hand"


def test_inside_a_checkout_the_state_folder_is_the_same_from_every_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project_root() / "components" / "optics")
    first = Project.here()
    monkeypatch.chdir(project_root())
    assert Project.here() == first == Project.at(project_root())


def test_a_wrong_recipe_makes_no_run(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='no recipe "dmeo"'):
        Run.of(Project(bundled_into(tmp_path), Path("state")), "dmeo")


def test_outside_a_checkout_there_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not inside a refocus checkout"):
        Project.here()
