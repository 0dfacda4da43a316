"""Seconds of one training step beside the authors' own: python benchmarks/train_step.py
[--recipe deblurgan] [--rounds 5] [--threads 2] [--only NAME ...] [--compiled] [--operations].

All rows take turns, A B C A B C, in one process, so that what else the machine does meets all of
them; a ratio is the median of the rounds' own ratios to the authors' step (benchmarks/plain_*.py, our
ports in plain torch), in processor seconds and by the clock on the wall. Where the machine is busy,
only the first means something. The batch is in memory. The perceptual loss runs on VGG weights drawn
from a seed: speed does not depend on them.

Rows: the recipe as it stands, in fp32, in channels_last; where the authors' critic learns from one
photo again and again, also "equal work", the recipe with discriminator_reuse; on request the recipe compiled
(minutes before the first round, outside of all times).

--operations counts a step's operations and its arithmetic (convolutions and matrix products), and says how
fast that is done beside the fastest that the machine does here, one large convolution in the same
precision: where the two are near, only less arithmetic would make the step shorter; and which share of the
step's time convolutions take: all else gone, it would be as much shorter.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from plain_deblurgan import PlainDeblurGAN
from plain_pix2pix import PlainPix2pix
from stand_in import stand_ins_for
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from components import recipes
from components.train.config import Phase, TrainConfig
from components.train.step import GanStep
from components.train.worker_group import World

AUTHORS = "the authors' step, fp32"
Step = Callable[[int], object]
Times = dict[str, list[tuple[float, float]]]  # processor seconds, seconds on the wall


def main() -> None:
    """Time all rows in turns and print medians, ratios and, on request, operations."""
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    base = recipes.load(arguments.recipe).train
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        steps = _steps(
            arguments.recipe, base, base.phases[-1], device, Path(folder), compiled=arguments.compiled
        )
        if arguments.only:
            steps = {name: step for name, step in steps.items() if name in arguments.only}
        times: Times = {name: [] for name in steps}
        for turn in range(arguments.rounds + 2):
            for name, step in steps.items():
                began, worked = time.perf_counter(), time.process_time()
                step(turn)
                if turn > 1:  # the first two are warm-ups
                    times[name].append((time.process_time() - worked, time.perf_counter() - began))
        _print(arguments, base, device, times)
        if arguments.operations:
            for name, step in steps.items():
                working = statistics.median(worked for worked, _ in times[name])
                print(f"  {name:<34} {operations(step)}; {arithmetic(name, step, working, device)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="*", help="names of rows")
    parser.add_argument("--compiled", action="store_true", help="the recipe compiled too")
    parser.add_argument("--operations", action="store_true", help="count the operations of a step")
    return parser.parse_args()


def _steps(
    recipe: str, base: TrainConfig, phase: Phase, device: torch.device, folder: Path, *, compiled: bool
) -> dict[str, Step]:
    weights = stand_ins_for(base, folder)
    rows: dict[str, dict[str, Any]] = {base.precision: {}}
    if base.discriminator_updates > 1 and not base.discriminator_reuse:
        rows[f"{base.precision}, equal work"] = {"discriminator_reuse": True}
        rows["fp32, equal work"] = {"discriminator_reuse": True, "precision": "fp32"}
    rows |= {
        "fp32": {"precision": "fp32"},
        f"{base.precision}, channels_last": {"channels_last": not base.channels_last},
    }
    if compiled:
        rows[f"{base.precision}, compiled"] = {"compile": True}
        rows["fp32, compiled"] = {"compile": True, "precision": "fp32"}
    steps: dict[str, Step] = {}
    if recipe == "deblurgan":
        plain = PlainDeblurGAN(next(iter(weights.values())), device)
        steps[AUTHORS] = lambda turn: plain(*_photos(base, phase, device, last=False))
    elif recipe == "pix2pix":
        plain_unet = PlainPix2pix(device)
        steps[AUTHORS] = lambda turn: plain_unet(*_photos(base, phase, device, last=False))
    for name, changes in rows.items():
        config = base.model_copy(update=changes)
        steps[name] = ours(config, phase, device, weights)
    return steps


def ours(config: TrainConfig, phase: Phase, device: torch.device, weights: dict[int, Path]) -> Step:
    """A step of a recipe on photos of chance, as a function of its number."""
    step = GanStep(config, World.alone(device), weights)
    updates = 1 if config.discriminator_reuse else config.discriminator_updates

    def once(turn: int) -> float:
        batches = [_photos(config, phase, device, last=config.channels_last) for _ in range(updates)]
        terms = step(batches, phase, turn * phase.batch, 1.0)
        return float(terms["generator/total"])  # waits for the device

    return once


def _photos(config: TrainConfig, phase: Phase, device: torch.device, *, last: bool) -> tuple[Tensor, Tensor]:
    layout = torch.channels_last if last else torch.contiguous_format
    input, target = (
        torch.rand(phase.batch, 3, side, side, device=device).mul(2).sub(1).contiguous(memory_format=layout)
        for side in (phase.crop_px // config.generator.scale, phase.crop_px)
    )
    return input, target


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Counts what reaches the dispatcher: what a GPU would be launched for, views left out; and the
    arithmetic of convolutions and matrix products.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.all, self.casts, self.gflop = 0, 0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.all += 1
            self.casts += "_to_copy" in str(func)
        if func.overloadpacket in flop_registry:
            self.gflop += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=result) / 1e9
        return result


def operations(step: Step) -> str:
    """How many operations a step takes, in words."""
    counted = _counted(step)
    return f"{counted.all} operations a step, {counted.casts} of them casts"


def arithmetic(name: str, step: Step, working_s: float, device: torch.device) -> str:
    """How much arithmetic a step is and how much of it is done in a second, in words. working_s: processor
    seconds of a step.
    """
    gflop = _counted(step).gflop
    fastest = _fastest(torch.bfloat16 if name.startswith("bf16") else torch.float32, device)
    share = gflop / working_s / fastest
    return (
        f"{gflop:.0f} GFLOP, {gflop / working_s:.0f} a processor second, {share:.0%} of a large"
        f" convolution's; convolutions take {_share_of_convolutions(step):.0%} of a step's time"
    )


def _share_of_convolutions(step: Step) -> float:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step(1001)
    times = {each.key: each.self_cpu_time_total for each in profile.key_averages()}
    share: float = sum(time for name, time in times.items() if "convolution" in name) / sum(times.values())
    return share


def _counted(step: Step) -> _Counted:
    counted = _Counted()
    with counted:
        step(1000)
    return counted


def _fastest(precision: torch.dtype, device: torch.device) -> float:
    """GFLOP a processor second of a convolution that has enough to do."""
    x_NCHW = torch.rand(4, 256, 66, 66, device=device).to(precision)
    weight, found = torch.rand(256, 256, 3, 3, device=device).to(precision), []
    for _ in range(6):
        worked = time.process_time()
        torch.conv2d(x_NCHW, weight)
        found.append(2 * 4 * 64**2 * weight.numel() / 1e9 / (time.process_time() - worked))
    return statistics.median(found[1:])


def _print(arguments: argparse.Namespace, base: TrainConfig, device: torch.device, times: Times) -> None:
    phase = base.phases[-1]
    print(
        f"{arguments.recipe}: batch {phase.batch}, {phase.crop_px} px, {base.discriminator_updates}"
        f" discriminator updates, {arguments.rounds} rounds"
    )
    print(
        f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__},"
        f" {platform.processor() or platform.machine()}, Python {platform.python_version()}"
    )
    for name, found in times.items():
        worked, waited = ([pair[place] for pair in found] for place in (0, 1))
        line = (
            f"  {name:<34} {statistics.median(worked):7.3f} s of the processor, "
            f"{statistics.median(waited):7.3f} on the wall ({min(waited):.3f} to {max(waited):.3f})"
        )
        if AUTHORS in times and name != AUTHORS:
            ratios = [
                [theirs[place] / ours[place] for theirs, ours in zip(times[AUTHORS], found, strict=True)]
                for place in (0, 1)
            ]
            line += "; authors' over it " + ", ".join(
                f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})" for of in ratios
            )
        print(line)


if __name__ == "__main__":
    main()
