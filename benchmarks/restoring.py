"""Seconds to restore a photo of 1280×720 px beside the DeblurGAN authors' own way: python
benchmarks/restoring.py [--rounds 5] [--threads 2] [--width 1280 --height 720].

Their generator as a port in plain torch (benchmarks/plain_deblurgan.py), float32, the photo whole, as
their test does it; ours with the recipe's generator of as many weights, whole, in fp32 and in bf16.
All take turns; ratios are medians of the rounds' own, in processor seconds and on the wall. Beside
them, how far bf16 is from fp32 in levels of 255.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from plain_deblurgan import Generator

from components import recipes
from components.nets.restore import Restorer


def main() -> None:
    """Restore in turns and print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    part = recipes.load("deblurgan").train.generator
    shape = (arguments.height, arguments.width, 3)
    photo = np.random.default_rng(0).random(shape, dtype=np.float32)
    plain, net = Generator().eval(), part.build(0)
    ours = {
        precision: Restorer(net, part, device="cpu", tile_px=max(shape), precision=precision)
        for precision in ("fp32", "bf16")
    }

    @torch.no_grad()
    def theirs() -> None:
        plain(torch.from_numpy(photo).permute(2, 0, 1)[None].contiguous() * 2 - 1)

    ways = {"the authors' way, fp32": theirs} | {
        f"ours, {name}": lambda way=way: way.restore(photo) for name, way in ours.items()
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):
        for name, way in ways.items():
            began, worked = time.perf_counter(), time.process_time()
            way()
            if turn:
                times[name].append((time.process_time() - worked, time.perf_counter() - began))
    print(
        f"{arguments.width}×{arguments.height}, {torch.get_num_threads()} threads, {arguments.rounds} rounds"
    )
    first = next(iter(times.values()))
    for name, found in times.items():
        middles = [statistics.median(pair[place] for pair in found) for place in (0, 1)]
        ratios = [
            statistics.median(one[place] / two[place] for one, two in zip(first, found, strict=True))
            for place in (0, 1)
        ]
        print(
            f"  {name:<24} {middles[0]:7.2f} s of the processor, {middles[1]:7.2f} on the wall;"
            f" authors' over it {ratios[0]:.2f}, {ratios[1]:.2f}"
        )
    apart = 255 * np.abs(ours["bf16"].restore(photo) - ours["fp32"].restore(photo))
    print(f"  bf16 from fp32: {apart.mean():.3f} levels of 255 on average, {apart.max():.2f} at most")


if __name__ == "__main__":
    main()
