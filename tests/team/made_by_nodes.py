"""Pairs in shards and a training of them, made by the cluster for a driver outside of it: python
made_by_nodes.py PHOTOS OUT. Without RAY_ADDRESS the training alone, on this machine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from components import recipes
from components.core.records import Checkpoint, PairSet, PhotoSet, RecipeRecord
from components.pipeline import sending
from components.train.config import TrainConfig
from components.train.run import run

SYNTHESIZE: dict[str, Any] = {"pictures": "shards", "workers": 2, "pairs_per_photo": 2}
TRAIN: dict[str, Any] = {
    "seed": 5,
    "generator": {"kind": "resnet", "width": 4, "blocks": 1},
    "discriminators": [{"kind": "patchgan", "layers": 1, "width": 4}],
    "adversarial": {"kind": "wgan_gp", "weight": 0.1},
    "discriminator_updates": 1,
    "content": [{"kind": "l1"}],
    "phases": [{"name": "joint", "images": 24, "crop_px": 32, "batch": 4}],
    "validate_every": 12,
    "log_every": 3,
    "workers": 2,
    "placement": "spread",
    "gpu": "never",
}

if __name__ == "__main__":
    photos, out = map(Path, sys.argv[1:])
    others = recipes.load("demo").record().sections
    sections = {**others, "synthesize": SYNTHESIZE, "train": TRAIN}
    recipe = recipes.Recipe.model_validate({"name": "nodes", "about": "?", **sections})
    record: RecipeRecord = recipe.record()
    if os.environ.get("RAY_ADDRESS"):
        pairs = sending.make("synthesize", record, [PhotoSet.load(photos)], PairSet, out / "pairs")
        sending.make("train", record, [pairs], Checkpoint, out / "checkpoint")
    else:
        run(TrainConfig.model_validate(TRAIN), record, PairSet.load(out / "pairs"), out=out / "alone")
