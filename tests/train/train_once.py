"""Run stage train on a small pair set, as a process of its own that a test can kill: python
train_once.py PAIRS OUT WORKERS [LOSS_LIMIT [IMAGES]].
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from components.core import stopping
from components.core.records import PairSet, RecipeRecord
from components.train.config import TrainConfig
from components.train.run import run


def settings(workers: int, loss_limit: float, images: int = 160) -> TrainConfig:
    """A critic with its penalty, batch statistics, a pool, noise, dropout, averaging and a
    schedule: everything that could come apart on several workers.
    """
    return TrainConfig.model_validate(
        {
            "seed": 5,
            # Without biases in front of the normalisation: their gradient is rounding alone, and
            # Adam walks on it.
            "generator": {
                "kind": "resnet",
                "width": 4,
                "blocks": 1,
                "norm": "batch",
                "dropout": 0.5,
                "bias": False,
            },
            "discriminators": [
                {"kind": "patchgan", "layers": 1, "width": 4, "bias": "ends", "conditional": True}
            ],
            "adversarial": {"kind": "wgan_gp", "weight": 0.1},
            "discriminator_updates": 2,
            "instance_noise": {"std": 0.1, "restored": True},
            "history": {"size": 6},
            "content": [{"kind": "l1"}],
            "phases": [
                {"name": "joint", "images": images, "crop_px": 32, "batch": 4, "schedule": {"kind": "linear"}}
            ],
            "validate_every": 40,
            "log_every": 5,
            "workers": workers,
            "loss_limit": loss_limit,
        }
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # off where the tests run in the background
    stopping.heed()
    pairs, out, count, *more = sys.argv[1:]
    config = settings(int(count), float(more[0]) if more else 1e6, int(more[1]) if more[1:] else 160)
    recipe = RecipeRecord(name="small", sections={"train": config.model_dump(mode="json")})
    print(run(config, recipe, PairSet.load(Path(pairs)), out=Path(out)).images_seen)
