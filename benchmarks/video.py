"""Nets of video against the net of one photo, of equal size and budget: the same clips, images, crops,
losses and learning rate; then each measured on the test clips against doing nothing.

    python benchmarks/video.py train OUT --images 2000            # clips, then three small nets
    python benchmarks/video.py measure OUT                        # PSNR, SSIM, warping error, tOF
    python benchmarks/video.py speed                              # seconds per frame of 1280 × 720 px

Clips are those of recipe video_flow, of the photos inside installed packages. Budget is counted in
images; processor seconds stand beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from remembered import Listener

from components import recipes
from components.core.images import to_float
from components.core.records import PairSet
from components.evaluate.measure import measure
from components.evaluate.summary import whole
from components.evaluate.unfit import counted
from components.ingest.run import run as ingest
from components.metrics import METRICS
from components.nets.generators import GeneratorPart, UNet, Video3D, VideoFlow
from components.nets.restore import Restorer, load_restorer, save_generator
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop
from components.train.training_state import read_state
from components.train.worker_group import World

SMALL: dict[str, Any] = {
    "photo": UNet(width=16, depth=3, widest=96, fold=2),
    "video_flow": VideoFlow(width=16, depth=3, widest=96, fold=2),
    "video_3d": Video3D(width=8, depth=3, widest=96, fold=2),
}
FULL: dict[str, Any] = {
    "photo": UNet(width=32, depth=3, widest=192, fold=2),
    "video_3d": Video3D(),
    "video_flow": VideoFlow(),
}
CPU = World.alone(torch.device("cpu"))


class Told(Listener):
    """Also says readings as they come."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        shown = {name: round(value, 4) for name, value in values.items() if "psnr" in name or "l1" in name}
        print(f"{images_seen:6d} {shown}", flush=True)

    def warn(self, words: str) -> None:
        print(f"warning: {words}", flush=True)


def settings(part: GeneratorPart, images: int, crop_px: int) -> TrainConfig:
    recipe = recipes.load("video_flow").train.model_dump(mode="json")
    photometric = [{"kind": "photometric", "weight": 0.1}] if part.aligns else []
    told = {
        "generator": part.model_dump(mode="json"),
        "discriminators": [],
        "adversarial": None,
        "content": [{"kind": "l1"}, *photometric],
        "phases": [recipe["phases"][0] | {"images": images, "crop_px": crop_px}],
        "augment": recipe["augment"] | {"reverse_time": 0.5 if part.window > 1 else 0.0},
        "precision": "fp32",
        "channels_last": False,
        "validate_every": images // 3,
        "validate_pairs": 9,
    }
    return TrainConfig.model_validate(recipe | told)


def train(out: Path, images: int, crop_px: int) -> None:
    recipe = recipes.load("video_flow")
    pairset = synthesize(recipe.synthesize, ingest(recipe.ingest, out=out / "photos"), out=out / "pairs")
    for name, part in SMALL.items():
        told, began = Told(), time.process_time()
        Loop(settings(part, images, crop_px), Data.of(pairset), CPU, told, told, {}).run()
        save_generator(out / name, part, read_state(told.final_state())["step"]["average"])
        print(f"{name}: {images} images, {time.process_time() - began:.0f} processor seconds", flush=True)


def report(out: Path) -> None:
    pairset = PairSet.load(out / "pairs")
    names = ("psnr_rgb", "ssim_gauss11_rgb", "warping_error_dis", "tof_dis")
    rows: list[tuple[str, Mapping[str, float]]] = []
    for name in SMALL:
        restorer = load_restorer(out / name, device="cpu")
        scores = measure(restorer.restore, pairset, names, window=restorer.window)
        total = whole(counted(scores))
        if not rows:
            rows.append(("doing nothing", total.do_nothing))
        rows.append((name, total.restored))
    print("| | " + " | ".join(METRICS[name].title for name in names) + " |")
    for name, values in rows:
        print(f"| {name} | " + " | ".join(METRICS[each].text(values[each]) for each in names) + " |")


def speed(rounds: int = 3) -> None:
    window = np.random.default_rng(0).integers(0, 256, (720, 1280, 15), dtype=np.uint8)
    for name, part in FULL.items():
        net = part.build(0)
        restorer = Restorer(net, part, device="cpu", tile_px=1536)
        frames = to_float(window[:, :, : 3 * part.window])
        taken = []
        for _ in range(rounds):
            began = time.process_time()
            restorer.restore(frames)
            taken.append(time.process_time() - began)
        parameters = sum(weight.numel() for weight in net.parameters())
        print(f"{name}: {parameters:,} parameters, {median(taken):.2f} processor seconds a frame", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "measure", "speed"])
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--crop", type=int, default=96)
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed()
    elif arguments.what == "train":
        train(arguments.out, arguments.images, arguments.crop)
    else:
        report(arguments.out)


if __name__ == "__main__":
    main()
