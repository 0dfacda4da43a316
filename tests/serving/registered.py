"""Versions in the registry that were never trained: small nets with the files that serving asks for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from components.nets.generators import Generator, UNet
from components.nets.restore import load_restorer, save_generator
from components.services import tracking
from components.services.tracking import registry


def add(
    name: str, folder: Path, *, seed: int, part: Generator | None = None, broken: bool = False
) -> tracking.Version:
    """A new version of a model, different for each seed.

    broken: what it stored of its example is not what it restores.
    """
    place = folder / f"{name}-{seed}"
    restorer = place / "artifacts" / "restorer"
    part = part or UNet(width=4, depth=1, widest=4)
    torch.manual_seed(seed)
    weights = {
        key: value + 0.02 * torch.randn_like(value) for key, value in part.build(seed=0).state_dict().items()
    }
    weights_sha256, generator_sha256 = save_generator(restorer, part, weights)
    (restorer / "sha256.json").write_text(
        json.dumps({"generator.safetensors": weights_sha256, "generator.json": generator_sha256})
    )
    asked = np.random.default_rng(seed).random((1, 32, 40, 3), np.float32)
    restored = load_restorer(restorer, device="cpu").restore(asked[0]).clip(0, 1)[None]
    (place / "example").mkdir()
    np.save(place / "example" / "blurred.npy", asked)
    np.save(place / "example" / "restored.npy", 1 - restored if broken else restored)
    (place / "MODEL_CARD.md").write_text(f"# {name}, from seed {seed}\n")
    tags = {registry.CHECKPOINT: f"{seed:064x}", registry.WEIGHTS_SHA256: weights_sha256}
    return tracking.add_version(name, place, run_id=None, tags=tags, description="")
