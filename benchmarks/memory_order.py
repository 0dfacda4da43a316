"""Which order of memory each generator restores in fastest: python benchmarks/memory_order.py [--rounds 7]
[--threads 1] [--px 256] [--precisions fp32 bf16] [--recipes NAME ...].

A photo of --px squared through the net of each recipe, in fp32 and in bf16, in turns: maps plane by
plane (NCHW), pixel by pixel (NHWC, torch's channels_last), and so the weights as well. Seconds are the
processor's by megapixel, medians; ratios medians of the rounds' own. The last column is how far the
third answer is from the first, at most, in levels of 255.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import torch
from torch import nn

from components import recipes
from components.nets.restore import pixel_by_pixel

FIRST, *OTHERS = "NCHW", "NHWC", "NHWC, weights"


def main() -> None:
    """Run each net in turns, and print a line for each and precision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--px", type=int, default=256)
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--recipes", nargs="+", default=list(recipes.names()))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{arguments.px} px squared, {arguments.threads} threads, {arguments.rounds} rounds, torch"
        f" {torch.__version__}"
    )
    heads = "".join(f"{order:>15}" for order in (FIRST, *OTHERS))
    print(f"{'recipe':<16}{'kind':<13}{'':<6}{heads}{'NCHW over NHWC':>16}{'over both':>11}{'apart':>8}")
    for name in arguments.recipes:
        part = recipes.load(name).train.generator
        net = part.build(0).eval()
        side = arguments.px // part.scale
        input = torch.rand(1, 3 * part.window, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        for precision in arguments.precisions:
            print(
                line(name, part.kind, precision, *measured(net, input, precision, arguments.rounds)),
                flush=True,
            )


@torch.inference_mode()
def measured(
    net: nn.Module, input: torch.Tensor, precision: str, rounds: int
) -> tuple[dict[str, list[float]], float]:
    """Processor seconds a megapixel of each round by order, and how far the answers are apart."""
    ordered = pixel_by_pixel(copy.deepcopy(net))
    last = input.contiguous(memory_format=torch.channels_last)
    ways = dict(zip((FIRST, *OTHERS), ((net, input), (net, last), (ordered, last)), strict=True))
    answers, times = {}, {name: list[float]() for name in ways}
    for turn in range(rounds + 1):
        for name, (way, given) in ways.items():
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                began = time.process_time()
                answers[name] = way(given).float()
                if turn:
                    times[name].append(time.process_time() - began)
    apart = (answers[FIRST] - answers[OTHERS[-1]]).abs().max().item()
    megapixels = answers[FIRST].shape[-1] * answers[FIRST].shape[-2] / 1e6
    return {name: [each / megapixels for each in found] for name, found in times.items()}, 127.5 * apart


def line(name: str, kind: str, precision: str, times: dict[str, list[float]], apart: float) -> str:
    """A row of the table."""
    middles = "".join(f"{statistics.median(found):>15.3f}" for found in times.values())
    ratios = [
        statistics.median(one / other for one, other in zip(times[FIRST], times[order], strict=True))
        for order in OTHERS
    ]
    return f"{name:<16}{kind:<13}{precision:<6}{middles}{ratios[0]:>16.2f}{ratios[1]:>11.2f}{apart:>8.3f}"


if __name__ == "__main__":
    main()
