"""A recipe of real pairs through the stages, in order, as `refocus` calls them: from two folders to
a measured generator.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from one_stage import run_stage
from tiny_clone import TINY

from components import recipes
from components.core.errors import LineageError
from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet
from components.pipeline import stages
from components.pipeline.project import Project, Run, folder_of

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
import pair_sets


def recipe_at(root: Path, *, split: str) -> str:
    """A project of one recipe, `tiny`, whose pairs lie in ROOT/set."""
    plain = yaml.safe_load(TINY)
    plain["ingest"] = {
        "photos": str(root / "set"),
        "split": {"kind": split},
        "pairs": {"kind": "two_folders", "variant": "blur"},
    }
    plain["synthesize"] = {}
    plain["train"]["phases"] = [{"name": "joint", "images": 16, "crop_px": 32, "batch": 4}]
    plain["train"] |= {"validate_every": 8, "validate_pairs": 1}
    path = root / "components" / "recipes" / "tiny.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(plain))
    return recipes.load("tiny", root=root).name


@pytest.mark.services
def test_real_pairs_go_from_two_folders_to_a_report(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        for seed in range(2):
            top = tmp_path / "set" / split
            pair_sets.pair_at(
                top / f"sharp/{seed}.png",
                top / f"blur/{seed}.png",
                seed=10 * place + seed,
                moved=(0.5 * seed, 0.0),
            )
    name = recipe_at(tmp_path, split="by_folder")
    run = Run.of(Project.at(tmp_path), name)
    records: list[Record] = [run_stage(stage.name, run) for stage in stages.STAGES]
    photoset, pairset, checkpoint, report = records
    assert isinstance(photoset, PhotoSet)
    assert isinstance(pairset, PairSet)
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(report, EvalReport)
    assert (pairset.photoset, checkpoint.pairset, report.checkpoint) == (
        photoset.digest,
        pairset.digest,
        checkpoint.digest,
    )
    assert pairset.counts == {"train": 2, "val": 2, "test": 2}
    assert {score.blur_kind for score in report.scores()} == {"imported"}
    # A Gaussian of 1.5 px: RMS radius 2.1 px, which is medium.
    assert {score.severity_class for score in report.scores()} == {"medium"}
    assert all(score.severity == pytest.approx(1.5 * 2**0.5, rel=0.1) for score in report.scores())
    assert 15 < report.do_nothing["psnr_rgb"] < 60


def test_pairs_that_are_only_for_measuring_are_refused_by_training_in_its_own_words(tmp_path: Path) -> None:
    pair_sets.two_folders(tmp_path / "set", 2)
    name = recipe_at(tmp_path, split="one_split")
    run = Run.of(Project.at(tmp_path), name)
    for stage in ("ingest", "synthesize"):
        run_stage(stage, run)
    assert PairSet.load(folder_of(tmp_path, name, PairSet)).counts == {"train": 0, "val": 0, "test": 2}
    with pytest.raises(LineageError, match="the pair set has no training pairs"):
        run_stage("train", run)
