"""Published recipes through every stage, a few images only: from photos to a registered model that loads
elsewhere.

REFOCUS_ALL_RECIPES=1 runs all, nets at full size (a quarter of an hour on two cores); by default two
stand for them, another scale and another task, with nets an eighth as wide.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from bundled import RECIPES
from tiny_clone import HERE, Clone, clone_into

from components import recipes

sys.path.insert(0, str(HERE / "benchmarks"))
from stand_in import stand_in_weights

pytestmark = pytest.mark.services
ALL = "REFOCUS_ALL_RECIPES" in os.environ
NAMES = [name for name in RECIPES if name != "demo"] if ALL else ["pix2pix_seed", "srgan"]
NARROW = {"width": 8, "widest": 64, "blocks": 2}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone whose recipes are cut short: few and small pairs, two steps a phase, VGG weights
    drawn from a seed.
    """
    root = tmp_path_factory.mktemp("recipes")
    made = clone_into(root)
    for name in NAMES:
        path = root / "components" / "recipes" / f"{name}.yaml"
        plain = yaml.safe_load(path.read_text())
        plain["synthesize"] |= {
            "pairs_per_photo": 1,
            "pairs_per_eval_photo": 1,
            "max_side_px": 448,
            "workers": 0,
        }
        if max(phase["crop_px"] for phase in plain["train"]["phases"]) <= 96:
            plain["ingest"] |= {
                "photos": "photos",
                "split": {"kind": "by_folder"},
                "min_px": 96,
            }  # the clone's own, of 96 px
        if not ALL:
            generator = plain["train"]["generator"]
            generator |= {setting: value for setting, value in NARROW.items() if setting in generator}
        for phase in plain["train"]["phases"]:
            phase.pop("epochs", None)
            phase |= {"images": 2, "batch": 1}
        for part in plain["train"]["content"]:
            if "backbone" in part:
                part["weights_from"] = str(stand_in_weights(part["backbone"], root))
        plain["train"] |= {"workers": 0, "validate_pairs": 1}
        path.write_text(yaml.safe_dump(plain, sort_keys=False))
    made.git("add", "-A")
    made.git("commit", "-qm", "cut short")
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_published_recipe_runs_whole_and_registers_a_model_that_loads_elsewhere(
    clone: Clone, name: str, tmp_path: Path
) -> None:
    said = clone.refocus("run", name, "--no-prefect").stdout
    # Registering tries the model in a clean process, in another folder, with pickle forbidden; the
    # gate need not like two steps of training.
    assert re.search(rf"registered +{name} version 1", said), said
    recipe = recipes.load(name)
    from skimage import data, io

    io.imsave(tmp_path / "photo.png", data.astronaut()[100:164, 100:180], check_contrast=False)
    clone.refocus(
        "restore",
        str(tmp_path / "photo.png"),
        "--model",
        f"{name}@challenger",
        "--out",
        str(tmp_path / "out"),
    )
    scale = recipe.train.generator.scale
    assert io.imread(tmp_path / "out" / "photo.png").shape == (64 * scale, 80 * scale, 3)
