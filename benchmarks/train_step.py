"""Seconds of one training step beside the authors' own: python benchmarks/train_step.py
[--recipe deblurgan] [--rounds 5] [--threads 2] [--only NAME ...] [--without] [--compiled] [--operations].

All rows take turns, A B C A B C, each in a process of its own, so that what else the machine does meets all
of them; a ratio is the median of the rounds' own ratios to the authors' step (benchmarks/plain_*.py, our
ports in plain torch), in processor seconds and by the clock on the wall. Where the machine is busy,
only the first means something. The batch is in memory. The perceptual loss runs on VGG weights drawn
from a seed: speed does not depend on them. A process takes 1 to 3 GB: with little memory, name --only.

Rows: the recipe as it stands, in fp32, in the other order of memory; where the authors' critic learns from
one photo again and again, also "equal work", the recipe with discriminator_reuse. --without: the recipe
without one of the parts that only make it faster, "memory not kept" among them, for which the kernel gives
pages anew at each step. --compiled: the recipe compiled (minutes before the
first round, outside of all times).

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
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from arithmetic import Step, arithmetic, operations
from in_turns import Row, StepProcess, Times, processes, times
from plain_deblurgan import PlainDeblurGAN
from plain_pix2pix import PlainPix2pix
from stand_in import stand_ins_for
from torch import Tensor

from components import recipes
from components.nets.modules import few_places, winograd
from components.train import compiled
from components.train.config import Phase, TrainConfig
from components.train.step import GanStep
from components.train.worker_group import World

AUTHORS = "the authors' step, fp32"
PLAIN = ("deblurgan", "pix2pix")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def main() -> None:
    """Time all rows in turns and print medians, ratios and, on request, operations."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        weights = stand_ins_for(recipes.load(arguments.recipe).train, Path(folder))
        rows = _rows(arguments, weights)
        if arguments.only:
            rows = {name: row for name, row in rows.items() if name in arguments.only}
        with processes(rows, arguments.threads) as steps:
            found = times(steps, arguments.rounds)
            _print(arguments, steps, found)
            if arguments.operations:
                _print_operations(steps, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="*", help="names of rows")
    parser.add_argument("--without", action="store_true", help="the recipe without what makes it faster too")
    parser.add_argument("--compiled", action="store_true", help="the recipe compiled too")
    parser.add_argument("--operations", action="store_true", help="count the operations of a step")
    return parser.parse_args()


def _rows(arguments: argparse.Namespace, weights: Mapping[int, Path]) -> dict[str, Row]:
    recipe, base = arguments.recipe, recipes.load(arguments.recipe).train
    own = base.precision
    changes: dict[str, dict[str, Any]] = {own: {}}
    if base.discriminator_updates > 1 and not base.discriminator_reuse:
        changes[f"{own}, equal work"] = {"discriminator_reuse": True}
        changes["fp32, equal work"] = {"discriminator_reuse": True, "precision": "fp32"}
    changes["fp32"] = {"precision": "fp32"}
    other = "contiguous" if base.channels_last else "channels_last"
    changes[f"{own}, {other}"] = {"channels_last": not base.channels_last}
    if arguments.compiled:
        changes[f"{own}, compiled"] = {"compile": True}
        changes["fp32, compiled"] = {"compile": True, "precision": "fp32"}
    rows = {AUTHORS: Row(authors, (recipe, weights), keeps=False)} if recipe in PLAIN else {}
    rows |= {name: Row(of_recipe, (recipe, weights, change, "")) for name, change in changes.items()}
    if arguments.without:
        rows[f"{own}, memory not kept"] = Row(of_recipe, (recipe, weights, {}, ""), keeps=False)
        rows |= {f"{own}, {part}": Row(of_recipe, (recipe, weights, {}, part)) for part in WITHOUT}
    return rows


def authors(recipe: str, weights: Mapping[int, Path]) -> Step:
    """The authors' step of a recipe in PLAIN, on photos of chance."""
    base = recipes.load(recipe).train
    plain: PlainDeblurGAN | PlainPix2pix = (
        PlainDeblurGAN(next(iter(weights.values())), DEVICE)
        if recipe == "deblurgan"
        else PlainPix2pix(DEVICE)
    )
    return lambda turn: plain(*_photos(base, base.phases[-1], DEVICE, last=False))


def of_recipe(recipe: str, weights: Mapping[int, Path], changes: dict[str, Any], without: str) -> Step:
    """The last phase's step of a recipe with some settings changed, without a part of WITHOUT."""
    if without:
        module, name, instead = WITHOUT[without]
        setattr(module, name, instead)
    base = recipes.load(recipe).train
    return ours(base.model_copy(update=changes), base.phases[-1], DEVICE, weights)


# What makes a step faster and nothing else: where it is, and what stands there instead.
WITHOUT: dict[str, tuple[Any, str, Any]] = {
    "torch's second derivative": (compiled, "DifferentiableAgain", nullcontext),
    "no products": (few_places, "BY_PRODUCT", {}),
    "no tiles": (winograd, "LEAST_CHANNELS", {}),
}


def ours(config: TrainConfig, phase: Phase, device: torch.device, weights: Mapping[int, Path]) -> Step:
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


def _print(arguments: argparse.Namespace, steps: Mapping[str, StepProcess], found: dict[str, Times]) -> None:
    base = recipes.load(arguments.recipe).train
    phase = base.phases[-1]
    print(
        f"{arguments.recipe}: batch {phase.batch}, {phase.crop_px} px, {base.discriminator_updates}"
        f" discriminator updates, {arguments.rounds} rounds"
    )
    threads, amx = next(iter(steps.values())).ask(_machine)
    print(
        f"{DEVICE}, {threads} threads, {'AMX, ' if amx else ''}torch {torch.__version__},"
        f" {platform.processor() or platform.machine()}, Python {platform.python_version()}"
    )
    for name, own in found.items():
        waiting = own.waiting
        line = (
            f"  {name:<34} {statistics.median(own.working):7.3f} s of the processor, "
            f"{statistics.median(waiting):7.3f} on the wall ({min(waiting):.3f} to {max(waiting):.3f}), "
            f"{statistics.median(own.pages):,.0f} pages of the kernel's"
        )
        if AUTHORS in found and name != AUTHORS:
            theirs = found[AUTHORS]
            ratios = [
                [one / other for one, other in zip(*both, strict=True)]
                for both in ((theirs.working, own.working), (theirs.waiting, own.waiting))
            ]
            line += "; authors' over it " + ", ".join(
                f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})" for of in ratios
            )
        print(line)


def _machine(step: Step) -> tuple[int, bool]:
    flags = Path("/proc/cpuinfo")
    return torch.get_num_threads(), flags.is_file() and "amx_bf16" in flags.read_text()


def _print_operations(steps: Mapping[str, StepProcess], found: dict[str, Times]) -> None:
    for name, process in steps.items():
        precision = torch.bfloat16 if name.startswith("bf16") else torch.float32
        working = statistics.median(found[name].working)
        told = process.ask(arithmetic, precision, working, DEVICE)
        print(f"  {name:<34} {process.ask(operations)}; {told}")


if __name__ == "__main__":
    main()
