"""Photos to a measured model with pairs made in training, stage by stage, and the chain of records
behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_stage import run_stage

from components import recipes
from components.core.images import write_png
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet, Provenance
from components.core.seeds import stream
from components.pipeline import stages
from components.pipeline.project import Project, Run
from components.register.card import write_card
from components.register.run import _records, check_chain

pytestmark = pytest.mark.services  # MLflow takes its time over a new store
RECIPE = """
name: flying
about: Pairs made in training, for a test.
ingest: {{photos: {photos}, split: {{kind: by_folder}}}}
synthesize:
  delivery: on_the_fly
  blurs: [{{kind: random_trajectory, canvas_px: 24, max_len_px: 20, steps: 200}}, {{kind: gaussian}}]
train:
  generator: {{kind: unet, width: 4, depth: 1, norm: none}}
  content: [{{kind: l1}}]
  generator_optimizer: {{kind: adam, lr: 0.002, beta1: 0.9}}
  phases: [{{name: content, epochs: 20, crop_px: 32, batch: 8, adversarial: false}}]
  workers: 0
  validate_every: 80
evaluate: {{metrics: [psnr_rgb], tile_px: 256}}
register: {{name: flying, load_test: false}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos and the recipe; the stages' results come beside them."""
    folder = tmp_path_factory.mktemp("flying")
    for split, count in (("train", 4), ("val", 1), ("test", 2)):
        for index in range(count):
            coarse = stream(split, index).integers(0, 256, (24, 24, 3))
            path = folder / "photos" / split / f"{split}{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.kron(coarse, np.ones((4, 4, 1), np.int64)).astype(np.uint8))
    place = folder / "components" / "recipes"
    place.mkdir(parents=True)
    (place / "flying.yaml").write_text(RECIPE.format(photos=folder / "photos"))
    return folder


def test_every_stage_and_the_chain_behind_the_model(root: Path) -> None:
    run = Run.of(Project.at(root), "flying")
    made: dict[str, Any] = {stage.name: run_stage(stage.name, run) for stage in stages.STAGES}
    photoset, pairset, checkpoint, report = (
        made[name] for name in ("ingest", "synthesize", "train", "evaluate")
    )
    assert isinstance(photoset, PhotoSet)
    assert isinstance(pairset, PairSet)
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(report, EvalReport)
    # 20 epochs of 4 photos, in batches of 8.
    assert checkpoint.images_seen == 80
    assert (len(pairset.source_photos()), pairset.pairs("train"), len(report.scores())) == (4, (), 2)
    recipe = recipes.load("flying", root=root).record()
    check_chain(recipe, photoset, pairset, checkpoint, report)
    kept = _records(photoset, pairset, checkpoint, report)
    assert kept[PairSet.SOURCES].is_file(), "lineage reads every table from the registry alone"
    card = write_card(
        "flying", recipe, photoset, pairset, checkpoint, report, Provenance(git_commit="0" * 40, dvc={})
    )
    assert "on blurred/sharp pairs made of 4 photos, a new one for each crop, 80 crops seen" in card
    assert "the blur it was trained on: `gaussian`, `random_trajectory`, up to" in card
