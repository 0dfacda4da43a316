"""What every net of every recipe costs: parameters, multiplications, seconds: python
benchmarks/nets.py --stand-in [--recipes NAME ...].

MACs are multiply-adds of convolutions, dense layers and attention (half of torch's
FlopCounterMode), for one photo, counted without
computing: at the crop of the recipe's last phase, and for generators at a restored photo of
1280×720, given padded to the net's stride. A training image is one whole step of the last phase,
all its discriminator updates included, divided by its batch; the batch is in memory. A restored
megapixel is a photo of 512×512 px through the Restorer, with what it takes to bring it to the
device and back. Medians of --runs after one warm-up. Recipes with a perceptual loss need VGG
weights for their training time: --vgg FILES, or --stand-in, which draws as many from a seed; speed
does not depend on them. --device cpu --json OUT writes the rows with full digits.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from nets_table import FORM, HEAD, Row, line
from stand_in import stand_in_weights
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from components import recipes
from components.nets.modules.discriminator_view import discriminator_view
from components.nets.restore import Restorer
from components.train.config import TrainConfig
from components.train.step import GanStep
from components.train.worker_group import World

WIDTH_PX, HEIGHT_PX = 1280, 720
RESTORED_PX = 512


def macs(net: nn.Module, *shape: int) -> int:
    """Multiply-adds of one pass over a batch of this shape; the net is on the meta device, where
    nothing is computed.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(*shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def parameters(net: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in net.parameters())


def counted(name: str, config: TrainConfig) -> list[Row]:
    """The rows of one recipe, generator first, without seconds."""
    crop = config.phases[-1].crop_px
    part = config.generator
    with torch.device("meta"):
        generator = part.build(config.seed).eval()
        discriminators = [
            discriminator.build(config.seed, index).eval()
            for index, discriminator in enumerate(config.discriminators)
        ]
        photo, input = (
            torch.empty(1, 3, crop, crop),
            torch.empty(1, 3 * part.window, crop // part.scale, crop // part.scale),
        )
    high, wide = (-(-side // (part.scale * part.stride)) * part.stride for side in (HEIGHT_PX, WIDTH_PX))
    rows = [
        Row(
            name,
            "generator",
            part.kind,
            parameters(generator),
            crop,
            macs(generator, *input.shape),
            macs(generator, 1, 3 * part.window, high, wide),
        )
    ]
    for index, (discriminator, net) in enumerate(zip(config.discriminators, discriminators, strict=True)):
        rows.append(
            Row(
                name,
                f"discriminator_{index}",
                discriminator.kind,
                parameters(net),
                crop,
                macs(net, *discriminator_view(discriminator, photo, input).shape),
            )
        )
    return rows


def weights_for(
    config: TrainConfig, folder: Path, weight_files: list[Path], stand_in: bool
) -> dict[int, Path] | None:
    """A file for each content loss that needs one, by its place; None when one is missing."""
    found = {}
    for index, (_, part) in enumerate(config.content_losses()):
        needed = part.weights()
        if needed is None:
            continue
        named = [path for path in weight_files if needed.backbone in path.name]
        if not named and not stand_in:
            return None
        found[index] = named[0] if named else stand_in_weights(needed.backbone, folder)
    return found


def training_seconds(config: TrainConfig, device: torch.device, weights: dict[int, Path], runs: int) -> float:
    """Median of whole steps of the last phase, by image."""
    phase, scale = config.phases[-1], config.generator.scale
    step = GanStep(config, World.alone(device), weights)
    updates = config.discriminator_updates if phase.adversarial and not config.discriminator_reuse else 1
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    source = torch.Generator().manual_seed(0)

    def photos(side: int, frames: int = 1) -> torch.Tensor:
        return (
            torch.rand(phase.batch, 3 * frames, side, side, generator=source)
            .mul(2)
            .sub(1)
            .to(device, memory_format=layout)
        )

    batches = [
        (photos(phase.crop_px // scale, config.generator.window), photos(phase.crop_px))
        for _ in range(updates)
    ]
    turns = iter(range(runs + 1))

    def once() -> None:
        terms = step(batches, phase, next(turns) * phase.batch, 1.0)
        float(terms["generator/total"])  # waits for the device

    return median_seconds(once, runs) / phase.batch


def restoring_seconds(config: TrainConfig, device: str, runs: int) -> float:
    """Median by megapixel of what is restored."""
    part = config.generator
    restorer = Restorer(part.build(config.seed), part, device=device)
    side = RESTORED_PX // part.scale
    photo = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
    return median_seconds(lambda: restorer.restore(photo), runs) / (RESTORED_PX**2 / 1e6)


def median_seconds(call: Callable[[], object], runs: int) -> float:
    """One call to warm up, then the median of the others."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measured(
    name: str, device: torch.device, weight_files: list[Path], stand_in: bool, runs: int
) -> list[Row]:
    """The rows of one recipe."""
    config = recipes.load(name).train
    rows = counted(name, config)
    first = rows[0]
    first.batch = config.phases[-1].batch
    with tempfile.TemporaryDirectory() as folder:
        weights = weights_for(config, Path(folder), weight_files, stand_in)
        if weights is not None:
            first.training_device = device.type
            first.seconds_per_training_image = training_seconds(config, device, weights, runs)
    first.seconds_per_megapixel_cpu = restoring_seconds(config, "cpu", runs)
    if device.type == "cuda":
        first.seconds_per_megapixel_gpu = restoring_seconds(config, "cuda", runs)
    gc.collect()  # the step's nets, before the next recipe's
    return rows


def main() -> None:
    """Count and time recipe after recipe; print a line a net as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--recipes", nargs="+", default=list(recipes.names()), help="names or YAML files; all when left out"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where training steps are timed; auto takes a GPU if there is one",
    )
    parser.add_argument("--runs", type=int, default=3, help="timed runs; medians are shown")
    parser.add_argument(
        "--vgg",
        nargs="+",
        type=Path,
        default=[],
        help="torchvision state dicts, vgg16 or vgg19 in their names",
    )
    parser.add_argument(
        "--stand-in", action="store_true", help="draw VGG weights from a seed where --vgg names no file"
    )
    parser.add_argument("--json", type=Path, help="write the rows here too")
    chosen = parser.parse_args()
    device = torch.device(
        "cuda"
        if chosen.device == "auto" and torch.cuda.is_available()
        else chosen.device.replace("auto", "cpu")
    )
    gpu = f", {torch.cuda.get_device_name()}" if device.type == "cuda" else ""
    where = (
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads{gpu}, torch"
        f" {torch.__version__}, Python {platform.python_version()}"
    )
    print(
        f"{where}\ntraining on {device.type}, median of {chosen.runs}; VGG weights:"
        f" {_vgg(chosen.vgg, chosen.stand_in)}\n"
    )
    print(FORM.format(*HEAD))
    rows = []
    for name in chosen.recipes:
        found = measured(name, device, chosen.vgg, chosen.stand_in, chosen.runs)
        print("\n".join(line(row) for row in found), flush=True)
        rows += found
    if chosen.json:
        plain = {
            "machine": where,
            "runs": chosen.runs,
            "vgg": _vgg(chosen.vgg, chosen.stand_in),
            "rows": [dataclasses.asdict(row) for row in rows],
        }
        chosen.json.write_text(json.dumps(plain, indent=2) + "\n")


def _vgg(files: list[Path], stand_in: bool) -> str:
    said = [
        *(str(path) for path in files),
        *(["drawn from a seed (stand-in: features mean nothing, time is the same)"] if stand_in else []),
    ]
    return (
        ", else ".join(said)
        or "none, so recipes with a perceptual loss have no training time (give --vgg FILES or --stand-in)"
    )


if __name__ == "__main__":
    main()
