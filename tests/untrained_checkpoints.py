"""Checkpoints of nets straight from their seed, for tests of what is done with a checkpoint."""

from __future__ import annotations

from pathlib import Path

from components.core.records import Checkpoint, PairSet
from components.nets.generators import Generator
from components.nets.restore import save_generator


def checkpoint_of(config: Generator, pairset: PairSet, folder: Path) -> Checkpoint:
    weights, generator = save_generator(folder, config, config.build(seed=0).state_dict())
    return Checkpoint(
        pairset=pairset.digest,
        config_digest="2" * 64,
        code_digest="3" * 64,
        weights_sha256=weights,
        generator_sha256=generator,
        images_seen=0,
    ).save(folder)
