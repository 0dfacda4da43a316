"""Photos per second of pairs made in training, and their share of a training step: python
benchmarks/on_the_fly.py [--device cuda] [--recipe demo].

In turns: the whole pair on the processor in this process; the same in loader processes; what a
loader's process does when a device renders; the device's part of a batch; a training step of the
recipe's last phase, its batch in memory. All at the same crop and batch. A share is over itself and
the step; the device's part has the way there in it. Training reads VGG weights drawn from a seed:
speed does not depend on them.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import torch
from stand_in import stand_ins_for

from components import recipes
from components.core.records import PairSet
from components.ingest.run import run as ingest
from components.synthesize.run import run as synthesize
from components.train.config import TrainConfig
from components.train.data import Data, load_steps
from components.train.on_the_fly import FreshPairs, Loaded, training_set
from components.train.step import GanStep
from components.train.worker_group import World

MANY = 10**9  # images: more than any run takes


def main() -> None:
    """Measure A B C D E A B C D E and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="demo")
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--crop", type=int, help="px; that of the recipe's last phase when left out")
    parser.add_argument("--batch", type=int, help="pairs; likewise")
    parser.add_argument("--processes", type=int, default=2, help="loader processes")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    recipe = recipes.load(arguments.recipe)
    phase = recipe.train.phases[-1]
    phase = phase.model_copy(
        update={"crop_px": arguments.crop or phase.crop_px, "batch": arguments.batch or phase.batch}
    )
    config, device = recipe.train.model_copy(update={"phases": (phase,)}), torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        photoset = ingest(recipe.ingest, out=Path(folder) / "photos")
        settings = recipe.synthesize.model_copy(
            update={"delivery": "on_the_fly", "pairs_per_photo": 1, "pairs_per_eval_photo": 1}
        )
        pairs = synthesize(settings, photoset, out=Path(folder) / "pairs")
        ways, close = prepared(config, pairs, device, arguments.processes, Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(arguments.rounds + 1):
            for name, way in ways.items():
                took = way(turn)
                if turn:  # the first is a warm-up
                    seconds[name].append(took)
        close()
    print(f"{recipe.name}: batch {phase.batch}, crop {phase.crop_px} px, {arguments.rounds} rounds")
    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    )
    print(f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    middles = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        spread = f"({1e3 * min(values):.2f} to {1e3 * max(values):.2f})"
        print(
            f"  {name:<60} {1e3 * middles[name]:8.2f} ms a batch {spread:<20}"
            f" {phase.batch / middles[name]:9.1f} photos/s"
        )
    whole, _, _, rendering, step = middles.values()
    print(
        f"  share of a step with it: {100 * rendering / (rendering + step):.1f} % on the device,"
        f" {100 * whole / (whole + step):.1f} % in the training process"
    )


def prepared(
    config: TrainConfig, pairs: PairSet, device: torch.device, processes: int, folder: Path
) -> tuple[dict[str, Callable[[int], float]], Callable[[], None]]:
    """Every way by name: a turn's number to seconds a batch; and what ends the loader's processes."""
    phase = config.phases[-1]
    here, there = (dataset(config, pairs, device, way) for way in ("processor", "device"))
    loading: list[Iterator[list[torch.Tensor]]] = [
        load_steps(
            here,
            start=0,
            stop=MANY,
            batch=phase.batch,
            updates=1,
            rank=0,
            size=1,
            processes=processes,
            pin=False,
        )
    ]

    def places(turn: int) -> list[tuple[str, int]]:
        return [("generator", turn * phase.batch + number) for number in range(phase.batch)]

    def in_processes(turn: int) -> float:
        for _ in range(4 * processes):  # what was loaded while nobody looked
            next(loading[0])
        took = timed(lambda: [next(loading[0]) for _ in range(20)], device) / 20
        time.sleep(0.5)  # until they have loaded ahead, and rest
        return took

    step, batches = training_step(config, device, folder)
    handed: Loaded = there.__getitems__(places(0))
    if device.type == "cuda":
        handed = {name: values.pin_memory() for name, values in handed.items()}
    return {
        "processor, this process: the whole pair": lambda turn: timed(
            lambda: here.__getitems__(places(turn)), device
        ),
        f"processor, {processes} loader processes: the whole pair": in_processes,
        "processor, this process: what it hands to the device": lambda turn: timed(
            lambda: there.__getitems__(places(turn)), device
        ),
        "device: the way there and the given pictures": lambda turn: timed(
            lambda: there.finished(handed), device
        ),
        "device: a training step": lambda turn: timed(
            lambda: step(batches, phase, turn * phase.batch, 1.0), device
        ),
    }, loading.clear


def dataset(config: TrainConfig, pairs: PairSet, device: torch.device, way: str) -> FreshPairs:
    """The recipe's training set, made where `way` says."""
    made = training_set(
        Data.of(pairs), config.model_copy(update={"synthesize_on": way}), config.phases[-1].crop_px, device
    )
    assert isinstance(made, FreshPairs)
    return made


def training_step(
    config: TrainConfig, device: torch.device, folder: Path
) -> tuple[GanStep, list[tuple[torch.Tensor, torch.Tensor]]]:
    """The recipe's step, and batches for it."""
    weights = stand_ins_for(config, folder)
    phase = config.phases[-1]
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    sides = (phase.crop_px // config.generator.scale, phase.crop_px)
    input, target = (
        torch.rand(phase.batch, 3, side, side, device=device).mul(2).sub(1).contiguous(memory_format=layout)
        for side in sides
    )
    updates = 1 if config.discriminator_reuse or not phase.adversarial else config.discriminator_updates
    return GanStep(config, World.alone(device), weights), [(input, target)] * updates


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device is done, too."""
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
