"""Run stage train on a small pair set, as a process of its own that a test can kill: python train_once.py PAIRS OUT WORKERS [LOSS_LIMIT]."""

from __future__ import annotations

import sys
from pathlib import Path

from components.core.records import PairSet, RecipeRecord
from components.train.config import TrainConfig
from components.train.run import run


def settings(workers: int, loss_limit: float) -> TrainConfig:
    """A critic with its penalty, two updates, averaging and a schedule: everything that could come apart on several workers."""
    return TrainConfig.model_validate(
        {
            "seed": 5,
            "generator": {"kind": "unet", "width": 4, "depth": 1},
            "discriminators": [{"kind": "patchgan", "layers": 1, "width": 4, "conditional": True}],
            "adversarial": {"kind": "wgan_gp", "weight": 0.1},
            "discriminator_updates": 2,
            "content": [{"kind": "l1"}],
            "phases": [{"name": "joint", "images": 160, "crop_px": 32, "batch": 4, "schedule": {"kind": "linear"}}],
            "validate_every": 40,
            "log_every": 5,
            "workers": workers,
            "loss_limit": loss_limit,
        }
    )


if __name__ == "__main__":
    pairs, out, count, *limit = sys.argv[1:]
    config = settings(int(count), float(limit[0]) if limit else 1e6)
    recipe = RecipeRecord(name="small", sections={"train": config.model_dump(mode="json")})
    print(run(config, recipe, PairSet.load(Path(pairs)), out=Path(out)).images_seen)
