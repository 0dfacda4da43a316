"""Seconds of the processor that one training image takes to read, decode, crop and change, decoded
pictures kept for all processes or not: python benchmarks/input.py [--pairs 24] [--rounds 5].

Pairs of 1280×720 px (256×256 where both are enlarged, as pix2pix has it), of shapes and noise drawn
from a seed, whose PNG files are as large as photos'. A set that does not fit the 1.5 GB of a process's
memory is stood in for by a memory of one pair: what it then costs is what GoPro's misses cost, and four
crops from a visit (train.crops_per_visit) a quarter of it and the crops. The ways take turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from components import recipes
from components.core.files import sha256_of_file, state_kept_in
from components.core.images import write_png
from components.core.records import Pair
from components.core.seeds import stream
from components.train import pictures
from components.train.config import TrainConfig
from components.train.data import PairDataset
from components.train.visits import Visits


class Way(NamedTuple):
    """Where decoded pictures are kept, and how many crops in a row are cut of them."""

    keep_decoded_gb: float
    pairs_in_memory: int
    crops_per_visit: int = 1


WAYS = {
    "kept for all": Way(16.0, 1),
    "in memory that holds them": Way(0.0, 1000),
    "in memory that does not": Way(0.0, 1),
    "in memory that does not, 4 a visit": Way(0.0, 1, 4),
}


def main() -> None:
    """Read every pair once and again, in turns, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for recipe, (width, height) in {"deblurgan": (1280, 720), "pix2pix": (256, 256)}.items():
        config = recipes.load(recipe).train
        times: dict[str, list[float]] = {name: [] for name in ["the first time", *WAYS]}
        with tempfile.TemporaryDirectory() as folder, state_kept_in(Path(folder) / "state"):
            pairs = _pairs(Path(folder), width, height, arguments.pairs)
            sets = {name: _dataset(Path(folder), pairs, config, name) for name in WAYS}
            for turn in range(arguments.rounds + 1):
                for name, dataset in sets.items():
                    pair_bytes = int(width * height * 6 * config.augment.enlarge**2)
                    pictures.CACHE_BYTES = WAYS[name].pairs_in_memory * pair_bytes
                    began = time.process_time()
                    for place in range(arguments.pairs):
                        dataset[("generator", turn * arguments.pairs + place)]
                    seconds = (time.process_time() - began) / arguments.pairs
                    if turn:
                        times[name].append(seconds)
                    elif name == "kept for all":
                        times["the first time"].append(seconds)
        print(
            f"{recipe}: crops of {config.phases[-1].crop_px} px of {arguments.pairs} pairs {width}×{height}"
        )
        for name, found in times.items():
            middle = statistics.median(found)
            print(f"  {name:<37} {1e3 * middle:7.2f} ms of a processor an image, {1 / middle:7.1f} images/s")


def _dataset(folder: Path, pairs: list[Pair], config: TrainConfig, name: str) -> PairDataset:
    changed = config.model_copy(update={"keep_decoded_gb": WAYS[name].keep_decoded_gb})
    dataset = PairDataset(folder, pairs, changed, config.phases[-1].crop_px)
    dataset.visits = Visits(crops=WAYS[name].crops_per_visit)
    return dataset


def _pairs(folder: Path, width: int, height: int, count: int) -> list[Pair]:
    rows = []
    for index in range(count):
        draws = stream("input benchmark", index)
        coarse = draws.integers(0, 256, (height // 32 + 2, width // 32 + 2, 3)).astype(np.uint8)
        photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        photo = np.clip(photo + draws.normal(0, 3, photo.shape), 0, 255).astype(np.uint8)
        files = {"input": f"input{index}.png", "target": f"target{index}.png"}
        for kind, name in files.items():
            write_png(folder / name, cv2.blur(photo, (5, 5)) if kind == "input" else photo)
        rows.append(
            Pair(
                id=str(index),
                split="train",
                photo=str(index),
                **files,
                input_sha256=sha256_of_file(folder / files["input"]),
                target_sha256=sha256_of_file(folder / files["target"]),
                width=width,
                height=height,
                blur_kind="imported",
                drawn={},
                severity=1.0,
                severity_class="mild",
                seed=0,
            )
        )
    return rows


if __name__ == "__main__":
    main()
