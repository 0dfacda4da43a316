"""What lies in a recipe's folders belongs to its settings as they stand, and to each other; or it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from bundled import bundled_into

from components.compare.contenders import contenders
from components.core.errors import InputError, LineageError
from components.core.parts import digest_of
from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet
from components.core.releases import releases
from components.ingest.told import settings_of
from components.pipeline import stages
from components.pipeline.out_of_step import of_other_releases, out_of_step
from components.pipeline.project import Project, Run, folder_of

HASH = "0" * 64
ALL = (PairSet, Checkpoint, EvalReport)
# A line that is changed, and whose result is then another's.
CHANGES: dict[str, tuple[str, object, str]] = {
    "synthesize": (
        "seed",
        7,
        "pairs was made with other settings than synthesize .*`refocus synthesize demo`",
    ),
    "train": ("ema", 0.5, "checkpoint was made with other settings than train has .*`refocus train demo`"),
    "evaluate": (
        "error_gain",
        2.0,
        "report was made with other settings than evaluate has .*`refocus evaluate",
    ),
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The demo with a result of each stage, all of them of each other."""
    return made(Run.of(Project(bundled_into(tmp_path), tmp_path / "state"), "demo"))


def place(run: Run, kind: type[Record]) -> Path:
    return folder_of(run.root, run.name, kind)


def made(run: Run) -> Run:
    folder = place(run, PhotoSet)
    photoset = PhotoSet(
        counts={"train": 0, "val": 0, "test": 0}, table_sha256=PhotoSet.write_table(folder, ())
    ).save(folder)
    folder = place(run, PairSet)
    pairset = PairSet(
        photoset=photoset.digest,
        config_digest=run.recipe.synthesize.identity,
        counts=photoset.counts,
        table_sha256=PairSet.write_table(folder, ()),
    ).save(folder)
    checkpoint = Checkpoint(
        pairset=pairset.digest,
        config_digest=digest_of(run.recipe.train),
        code_digest=HASH,
        weights_sha256=HASH,
        generator_sha256=HASH,
        images_seen=8,
    ).save(place(run, Checkpoint))
    folder = place(run, EvalReport)
    EvalReport(
        checkpoint=checkpoint.digest,
        pairset=pairset.digest,
        config_digest=digest_of(run.recipe.evaluate),
        metrics=("psnr_rgb",),
        restored={"psnr_rgb": 25.0},
        do_nothing={"psnr_rgb": 24.0},
        seconds_per_megapixel=0.1,
        table_sha256=EvalReport.write_table(folder, ()),
    ).save(folder)
    return run


def edited(run: Run, section: str, name: str, value: object) -> Run:
    path = run.root / "components" / "recipes" / "demo.yaml"
    plain = yaml.safe_load(path.read_text())
    plain[section] = {**(plain[section] or {}), name: value}
    path.write_text(yaml.safe_dump(plain))
    return Run.of(run.project, "demo")


def test_what_was_made_one_after_the_other_is_in_step(run: Run) -> None:
    assert list(out_of_step(run, *ALL)) == []
    assert list(out_of_step(edited(run, "synthesize", "workers", 3), *ALL)) == []  # changes no pair


@pytest.mark.parametrize("section", CHANGES)
def test_a_line_that_was_changed_since_is_told_with_the_stage_to_run(section: str, run: Run) -> None:
    name, value, words = CHANGES[section]
    (told,) = out_of_step(edited(run, section, name, value), *ALL)
    assert re.search(words, told)


@pytest.mark.parametrize(
    ("kind", "field", "words"),
    [
        (PairSet, "photoset", "pairs was made of other photos than lie there now"),
        (Checkpoint, "pairset", "checkpoint was made of other pairs than lie there now"),
        (EvalReport, "pairset", "report was made of other pairs than lie there now"),
        (EvalReport, "checkpoint", "report was made of another checkpoint than lies there now"),
    ],
)
def test_a_result_of_something_else_is_told(kind: type[Record], field: str, words: str, run: Run) -> None:
    record = run.load(kind)
    record.model_copy(update={field: HASH}).save(place(run, kind))
    assert words in next(iter(out_of_step(run, *ALL)))


def test_photos_that_were_taken_in_with_other_settings_are_told_with_their_names(run: Run) -> None:
    record = run.load(PhotoSet)
    about = {PhotoSet.SETTINGS: settings_of(run.recipe.ingest)}
    record.model_copy(update={"about": about}).save(place(run, PhotoSet))
    assert list(out_of_step(run, *ALL)) == []
    elsewhere = edited(run, "ingest", "photos", "s3://somewhere/else")
    assert list(out_of_step(edited(elsewhere, "ingest", "max_shrink", 0.5), *ALL)) == []
    (told,) = out_of_step(edited(run, "ingest", "min_px", 99), *ALL)
    assert "photos was taken in with another min_px than ingest has" in told


@pytest.mark.parametrize("kind", [PairSet, Checkpoint, EvalReport])
def test_what_other_releases_of_libraries_made_is_told(kind: type[Record], run: Run) -> None:
    record = run.load(kind)
    for torch, words in (("0.9", "was made with torch 0.9 (here "), (releases()["torch"], "")):
        record.model_copy(update={"about": {"releases": {"torch": torch}}}).save(place(run, kind))
        assert words in " ".join(out_of_step(run, *ALL))
        assert bool(words) == bool(list(of_other_releases(run, *ALL)))


@pytest.mark.parametrize("by", ["hand", "DVC"])
def test_a_stage_by_hand_says_that_what_it_takes_is_out_of_step(
    by: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if by == "DVC":
        monkeypatch.setenv("DVC_STAGE", "evaluate@demo")
    with stages.prepared("evaluate", edited(run, "train", "ema", 0.5)):
        pass
    assert ("warning: " in capsys.readouterr().err) == (by == "hand")


@pytest.mark.parametrize("section", CHANGES)
def test_a_recipe_that_was_edited_since_is_not_compared(section: str, run: Run) -> None:
    """Its settings would be shown beside figures that they did not make."""
    name, value, words = CHANGES[section]
    edited(run, section, name, value)
    with pytest.raises(InputError, match=rf"of the recipe demo: .*{words}.*NAME:3 names a version"):
        contenders(["demo", "mobile"], run.project)


@pytest.mark.parametrize(
    ("name", "told"),
    [("demmo", r'demmo has no champion .* one\. Did you mean "demo"\?$'), ("zzz", r" one\.$")],
    ids=["near", "far"],
)
def test_a_mistyped_recipe_is_answered_with_the_nearest(name: str, told: str, run: Run) -> None:
    with pytest.raises(LineageError, match=told):
        contenders([name, "demo"], run.project)
