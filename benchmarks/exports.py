"""What each exported file loses, weighs and takes, beside torch in its ways and OpenVINO where that is
installed: python benchmarks/exports.py demo [RECIPE ...] [--images N] [--photos DIR] [--crop PX]
[--threads 1 2].

Of each recipe the checkpoint and pairs in this checkout (run it first); with --images, pairs of the bundled
photos, or of DIR's in train/, val/ and test/, with the demo's blur and a training of its generator on so many
crops, on the mean absolute difference alone, enough for a gain that files can lose. Files are made and
measured as `refocus export` does, with no limit; then all of them restore the first test photos in turns,
--rounds times, and the median is given; --processor counts the processor's seconds, all threads together,
for a machine that others use too. bf16 is `refocus restore --precision bf16`,
compiled is torch.compile for that one size.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from components import recipes
from components.core.files import STATE_VARIABLE
from components.core.images import to_float
from components.core.records import Checkpoint, PairSet
from components.evaluate.measure import read_pair
from components.exports.made import Weights, make
from components.exports.parity import Parity
from components.ingest.config import ByFolder
from components.ingest.run import run as ingest
from components.nets.formats import FORMATS
from components.nets.restore import load_restorer
from components.pipeline.project import Project, Run, project_root
from components.register.policy import GatePolicy, ParityPolicy
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.run import run as train

PHOTOS = 2
Restore = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Made:
    """A recipe, its pairs and its checkpoint, wherever they lie."""

    recipe: recipes.Recipe
    pairset: PairSet
    checkpoint: Checkpoint

    @classmethod
    def of_checkout(cls, name: str) -> Made:
        """What the recipe's run left here."""
        run = Run.of(Project.at(project_root()), name)
        return cls(run.recipe, run.load(PairSet), run.load(Checkpoint))

    @classmethod
    def briefly(cls, name: str, images: int, crop_px: int, photos: Path | None, place: Path) -> Made:
        """Trained here on pixels alone."""
        os.environ[STATE_VARIABLE] = str(place / "state")
        recipe, demo = recipes.load(name), recipes.load("demo")
        making = demo.synthesize if recipe.synthesize.scale == 1 else recipe.synthesize
        taken, each = demo.ingest, {"pairs_per_photo": 12}
        if photos is not None:
            taken = taken.model_copy(update={"photos": str(photos), "split": ByFolder()})
            each = {"pairs_per_photo": 1, "pairs_per_eval_photo": 2}
        making = making.model_copy(update=each | {"max_side_px": 480, "workers": 0})
        pairset = synthesize(making, ingest(taken, out=place / "photos"), out=place / "pairs")
        phase = {"name": "pixels", "images": images, "crop_px": crop_px, "batch": 4, "adversarial": False}
        plain = demo.train.model_dump(mode="json", exclude={"discriminators", "adversarial", "finetune"})
        plain |= {
            "generator": recipe.train.generator.model_dump(mode="json"),
            "phases": [phase | {"schedule": {"kind": "cosine", "floor": 0.05}}],
            "content": [{"kind": "l1", "weight": 1.0}],
            "validate_every": images,
            "workers": 0,
        }
        plain.pop("discriminator_optimizer", None)
        config = TrainConfig.model_validate(plain)
        record = recipe.model_copy(update={"train": config}).record()
        return cls(recipe, pairset, train(config, record, pairset, out=place / "checkpoint"))


def exported(run: Made, folder: Path) -> tuple[Parity, ...]:
    """Every format of a recipe's checkpoint, however far it is."""
    return make(
        [kind() for kind in FORMATS.values()],
        Weights(run.checkpoint.folder, run.checkpoint.digest),
        run.pairset,
        folder,
        gate=GatePolicy(parity=ParityPolicy(largest_error=1, largest_loss=1)),
        metrics=[run.recipe.register_.gate.primary],
        tile_px=run.recipe.evaluate.tile_px,
    )


def in_torch(folder: Path, tile_px: int) -> dict[str, Restore]:
    """The checkpoint in torch's ways."""

    eager, compiled, half = (
        load_restorer(folder, device="cpu", tile_px=tile_px, precision=precision)
        for precision in ("fp32", "fp32", "bf16")
    )
    compiled.net = cast(nn.Module, torch.compile(compiled.net))
    return {"torch": eager.restore, "torch, bf16": half.restore, "torch, compiled": compiled.restore}


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


def timed(
    run: Made,
    folder: Path,
    made: tuple[Parity, ...],
    rounds: int,
    counts: list[int],
    clock: Callable[[], float],
) -> dict[str, dict[int, float]]:
    """Seconds a megapixel of the restored photo, by way and threads, in turns."""
    pairset, tile_px = run.pairset, run.recipe.evaluate.tile_px
    weights = run.checkpoint.folder
    restorer = load_restorer(weights, device="cpu", tile_px=tile_px)
    pairs = sorted(pairset.pairs("test"), key=lambda pair: pair.id)[:PHOTOS]
    photos = [to_float(read_pair(pairset, pair)[0]) for pair in pairs]
    found: dict[str, dict[int, float]] = {}
    before = torch.get_num_threads()
    for threads in counts:
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
                    began = clock()
                    restore(photo)
                    taken[name].append((clock() - began) / megapixels)
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
    parser.add_argument("--images", type=int, help="crops that it is trained on here; none: its own run")
    parser.add_argument("--crop", type=int, default=96, help="px of their targets' sides")
    parser.add_argument("--photos", type=Path, help="folder with train/, val/ and test/")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--processor", action="store_true", help="count the processor's seconds")
    asked = parser.parse_args()
    clock = time.process_time if asked.processor else time.perf_counter
    for name in asked.recipes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            run = (
                Made.briefly(name, asked.images, asked.crop, asked.photos, folder)
                if asked.images
                else Made.of_checkout(name)
            )
            made = exported(run, folder / "files")
            print(f"\n{name}: {max(each.pairs for each in made)} test pairs\n")
            print("| format | MB | largest error | per tile | change, dB | gain, dB |")
            print("|---|---:|---:|---:|---|---:|")
            for each in made:
                if each.file is None:
                    print(f"| {each.format} | | | | {each.words} | |")
                    continue
                kept = each.metrics[run.recipe.register_.gate.primary]
                alone = "" if each.per_tile is None else f"{each.per_tile.largest_error:.1e}"
                print(
                    f"| {each.format} | {each.bytes / 1e6:.2f} | {each.largest_error:.1e} | {alone} |"
                    f" {kept.change.words} | {kept.gain:+.3f} |"
                )
            times = timed(run, folder / "files", made, asked.rounds, asked.threads, clock)
        columns = (f"{count} thread{'s'[count == 1 :]} | against torch" for count in asked.threads)
        print(f"\n| way, s a megapixel | {' | '.join(columns)} |")
        print("|---|" + "---:|---:|" * len(asked.threads))
        for way, seconds in times.items():
            told = (f"{seconds[n]:.2f} | {times['torch'][n] / seconds[n]:.1f}" for n in asked.threads)
            print(f"| {way} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
