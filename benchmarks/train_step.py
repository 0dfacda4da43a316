"""Seconds of one training step by precision, memory layout and compilation, alternating: python
benchmarks/train_step.py [--recipe demo] [--rounds 7].

The batch is in memory; a step is every update of the recipe's last phase. DeblurGAN's own code with
two-convolution blocks, WGAN-GP and five critic updates took 5.07 s a step (batch 1, 256 px, two
threads) on a machine of the same kind. The perceptual loss runs on VGG weights drawn from a seed:
speed does not depend on them.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from stand_in import stand_in_vgg

from components import recipes
from components.train.step import GanStep
from components.train.worker_group import World


def main() -> None:
    """Time all five, A B C D E A B C D E, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    base = recipes.load(arguments.recipe).train
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    phase = base.phases[-1]
    updates = base.discriminator_updates
    with tempfile.TemporaryDirectory() as folder:
        weights = {
            index: stand_in_vgg(part.weights().backbone, Path(folder))
            for index, (_, part) in enumerate(base.content_losses())
            if part.weights() is not None
        }  # type: ignore[union-attr]
        choices = [*itertools.product(("fp32", "bf16"), (False, True), (False,)), ("bf16", True, True)]
        steps = {
            choice: GanStep(
                base.model_copy(
                    update={"precision": choice[0], "channels_last": choice[1], "compile": choice[2]}
                ),
                World.alone(device),
                weights,
            )
            for choice in choices
        }
        times: dict[tuple[str, bool, bool], list[float]] = {choice: [] for choice in choices}
        for turn in range(arguments.rounds + 2):
            for choice, step in steps.items():
                layout = torch.channels_last if choice[1] else torch.contiguous_format
                sides = (phase.crop_px // base.generator.scale, phase.crop_px)
                pair = [
                    torch.rand(phase.batch, 3, side, side, device=device)
                    .mul(2)
                    .sub(1)
                    .contiguous(memory_format=layout)
                    for side in sides
                ]
                batches = [tuple(pair)] * (1 if base.discriminator_reuse else updates)
                began = time.perf_counter()
                terms = step(batches, phase, turn * phase.batch, 1.0)  # type: ignore[arg-type]
                float(terms["generator/total"])  # waits for the device
                if turn > 1:  # the first two are warm-ups
                    times[choice].append(time.perf_counter() - began)
    print(f"{arguments.recipe}: batch {phase.batch}, {phase.crop_px} px, {updates} discriminator updates")
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()},"
        f" {arguments.rounds} rounds"
    )
    for (precision, last, compiled), seconds in times.items():
        middle = statistics.median(seconds)
        name = f"{precision} {'channels_last' if last else 'contiguous'}{' compiled' if compiled else ''}"
        print(
            f"  {name:<30} {middle:7.3f} s a step ({min(seconds):.3f} to {max(seconds):.3f}) "
            f" {phase.batch / middle:7.2f} images/s"
        )


if __name__ == "__main__":
    main()
