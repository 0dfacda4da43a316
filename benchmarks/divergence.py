"""The demo with 64 px crops, which ran away, and what keeps it from it: python benchmarks/divergence.py
[--images 18000] [--ways plain guarded bounded] [--seeds 1].

One training a row: the demo's first phase, 48,000 images long by its schedule and stopped after --images.
plain: neither bounded steps nor guards nor a way back, as before; guarded: gradients shortened and
skipped; back: with rollback beside; short_memory: beta2 of 0.99; bounded: rates of wide layers bounded
(spectral_step), nothing else; default: all as it is now. A row has the validation gain every 2,000
images, the largest reading of the gradient norm, and the largest spectral norm in the net beside that at
its beginning.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from remembered import Listener

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.records import PairSet
from components.ingest.run import run as ingest
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.worker_group import World

GAIN = "validation/psnr_rgb_gain"
NO_GUARD = {"gradients": {"clip_times": None, "skip_times": None}}
NO_WAY_BACK = {"rollback": None}
UNBOUNDED = {"spectral_step": None}
# Changes of the training, and of its generator's optimiser.
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": (NO_GUARD | NO_WAY_BACK, UNBOUNDED),
    "guarded": (NO_WAY_BACK, UNBOUNDED),
    "back": ({}, UNBOUNDED),
    "short_memory": (NO_GUARD | NO_WAY_BACK, UNBOUNDED | {"beta2": 0.99}),
    "bounded": (NO_GUARD | NO_WAY_BACK, {}),
    "default": ({}, {}),
}


class FarEnoughError(Exception):
    """The row has seen its images."""


class Figures(Listener):
    """Also keeps the largest gradient norm, and ends the row at so many images."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.largest = most, 0.0

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Note what the table has."""
        super().scalars(values, images_seen)
        self.largest = max(self.largest, values.get("generator/gradient_norm", 0.0))
        if images_seen >= self.most and GAIN in values:
            raise FarEnoughError


def config_of(way: str, seed: int) -> TrainConfig:
    """The demo's first phase on 64 px crops, one way."""
    plain = recipes.load("demo").train.model_dump(mode="json")
    changed, optimizer = WAYS[way]
    phase = plain["phases"][0] | {"images": 48000, "crop_px": 64}
    own = {
        "seed": seed,
        "phases": [phase],
        "discriminators": [],
        "adversarial": None,
        "validate_every": 2000,
        "generator_optimizer": plain["generator_optimizer"] | optimizer,
    }
    return TrainConfig.model_validate(plain | own | changed)


def widest(net: torch.nn.Module) -> float:
    """The largest spectral norm of any convolution."""
    return max(
        float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))
        for weight in net.parameters()
        if weight.dim() == 4
    )


def demo_pairs(place: Path) -> PairSet:
    """The pairs that `make demo` trains on."""
    recipe = recipes.load("demo")
    return synthesize(recipe.synthesize, ingest(recipe.ingest, out=place / "photos"), out=place / "pairs")


def main() -> None:
    """A row a way and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=18000)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_VARIABLE] = str(Path(folder) / "state")
        pairset = demo_pairs(Path(folder))
        print(
            "| way | seed | gain by thousand images, dB | largest gradient norm | spectral norm | back | s |"
        )
        print("| --- | ---: | --- | ---: | ---: | ---: | ---: |", flush=True)
        for way in arguments.ways:
            for seed in arguments.seeds:
                figures, began = Figures(arguments.images), time.monotonic()
                world = World.alone(torch.device("cpu"))
                loop = Loop(config_of(way, seed), Data.of(pairset), world, figures, figures, {})
                first = widest(loop.step.generator)
                try:
                    ended = loop.run().diverged or ""
                except FarEnoughError:
                    ended = ""
                gains = ", ".join(
                    f"{images // 1000}: {gain:+.2f}"
                    for images, gain in zip(*figures.series(GAIN), strict=True)
                )
                print(
                    f"| {way} | {seed} | {gains} {ended} | {figures.largest:.3g} |"
                    f" {first:.1f} → {widest(loop.step.generator):.1f} | {figures.rollbacks} |"
                    f" {time.monotonic() - began:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
