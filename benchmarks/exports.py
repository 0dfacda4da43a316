"""What each exported file loses, weighs and takes, beside torch in its ways and OpenVINO where that is
installed: python benchmarks/exports.py demo [RECIPE ...].

Of each recipe the checkpoint and pairs in this checkout (run it first). Files are made and measured
as `refocus export` does, with no limit; then all of them restore the first test photos in turns, at
one and two threads, --rounds times, and the median is given. bf16 is torch's autocast, compiled is
torch.compile for that one size.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from components.core.images import to_float
from components.core.records import Checkpoint, PairSet
from components.evaluate.measure import read_pair
from components.exports.made import Weights, make
from components.exports.parity import Parity
from components.nets.formats import FORMATS
from components.nets.restore import Restorer, load_restorer
from components.pipeline.project import Project, Run, project_root
from components.register.policy import GatePolicy, ParityPolicy

PHOTOS = 2
Restore = Callable[[np.ndarray], np.ndarray]


def exported(run: Run, folder: Path) -> tuple[Parity, ...]:
    """Every format of a recipe's checkpoint, however far it is."""
    checkpoint = run.load(Checkpoint)
    return make(
        [kind() for kind in FORMATS.values()],
        Weights(checkpoint.folder, checkpoint.digest),
        run.load(PairSet),
        folder,
        gate=GatePolicy(parity=ParityPolicy(largest_error=1, largest_loss=1)),
        metrics=run.recipe.evaluate.metrics,
        tile_px=run.recipe.evaluate.tile_px,
    )


def in_torch(folder: Path, tile_px: int) -> dict[str, Restore]:
    """The checkpoint in torch's ways."""

    def opened() -> Restorer:
        return load_restorer(folder, device="cpu", tile_px=tile_px)

    eager, last, half, compiled = opened(), opened(), opened(), opened()
    last.net.to(memory_format=torch.channels_last)
    half.net.to(memory_format=torch.channels_last)
    compiled.net = torch.compile(compiled.net)

    def in_bf16(photo: np.ndarray) -> np.ndarray:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return half.restore(photo)

    return {
        "torch": eager.restore,
        "torch, channels_last": last.restore,
        "torch, bf16": in_bf16,
        "torch, compiled": compiled.restore,
    }


def in_openvino(path: Path, threads: int, stride: int, **settings: Any) -> Restore:
    """An ONNX file in OpenVINO, whole."""
    import openvino

    core = openvino.Core()
    model = core.compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": threads, **settings})

    def restore(photo: np.ndarray) -> np.ndarray:
        down, right = (-side % stride for side in photo.shape[:2])
        padded = np.pad(photo, ((0, down), (0, right), (0, 0)), "reflect")
        found: np.ndarray = model(np.ascontiguousarray(padded.transpose(2, 0, 1)[None]))[0]
        return found

    return restore


def timed(run: Run, folder: Path, made: tuple[Parity, ...], rounds: int) -> dict[str, dict[int, float]]:
    """Seconds a megapixel of the restored photo, by way and threads, in turns."""
    pairset, tile_px = run.load(PairSet), run.recipe.evaluate.tile_px
    weights = run.load(Checkpoint).folder
    restorer = load_restorer(weights, device="cpu", tile_px=tile_px)
    pairs = sorted(pairset.pairs("test"), key=lambda pair: pair.id)[:PHOTOS]
    photos = [to_float(read_pair(pairset, pair)[0]) for pair in pairs]
    found: dict[str, dict[int, float]] = {}
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        ways = in_torch(weights, tile_px)
        for each in made:
            if each.file is None:
                continue
            path = folder / each.file
            ways[f"{each.format}, ONNX Runtime"] = (
                FORMATS[each.format]().open(path, tile_px=tile_px, threads=threads).restore
            )
            if importlib.util.find_spec("openvino") is not None:
                ways[f"{each.format}, OpenVINO"] = in_openvino(
                    path, threads, restorer.stride, INFERENCE_PRECISION_HINT="f32"
                )
                if each.format == "onnx":
                    ways["onnx, OpenVINO bf16"] = in_openvino(
                        path, threads, restorer.stride, INFERENCE_PRECISION_HINT="bf16"
                    )
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for photo in photos:
            megapixels = restorer.scale**2 * photo.shape[0] * photo.shape[1] / 1e6
            for restore in ways.values():
                restore(photo)  # compiled, and warm
            for _ in range(rounds):
                for name, restore in ways.items():
                    began = time.perf_counter()
                    restore(photo)
                    taken[name].append((time.perf_counter() - began) / megapixels)
        for name, values in taken.items():
            found.setdefault(name, {})[threads] = median(values)
    torch.set_num_threads(before)
    return found


def main() -> None:
    """Print both tables of each recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for name in asked.recipes:
        run = Run.of(Project.at(project_root()), name)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            made = exported(run, folder)
            print(f"\n{name}: {made[0].pairs} test pairs\n")
            print("| format | MB | largest error | change, dB | gain, dB |\n|---|---:|---:|---|---:|")
            for each in made:
                if each.file is None:
                    print(f"| {each.format} | | | {each.words} | |")
                    continue
                kept = each.metrics[run.recipe.register_.gate.primary]
                print(
                    f"| {each.format} | {each.bytes / 1e6:.2f} | {each.largest_error:.1e} |"
                    f" {kept.change.words} | {kept.gain:+.3f} |"
                )
            times = timed(run, folder, made, asked.rounds)
        print("\n| way | s a megapixel, 1 thread | against torch | 2 threads | against torch |")
        print("|---|---:|---:|---:|---:|")
        for way, seconds in times.items():
            one, two = (times["torch"][threads] / seconds[threads] for threads in (1, 2))
            print(f"| {way} | {seconds[1]:.2f} | {one:.1f} | {seconds[2]:.2f} | {two:.1f} |")


if __name__ == "__main__":
    main()
