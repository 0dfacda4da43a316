"""Convolutions over few places, forward and back, as torch has them and as one product of matrices (the
layers of components/nets/modules/few_places.py): python benchmarks/few_places.py [--rounds 5] [--threads 1].

pix2pix's layers of 4×4 weights and one of 3×3 of unet_patchgan, one photo and four; places are those of the
smaller map, over the batch. Both take turns; milliseconds of the processor and the median of the rounds' own
ratios. `plain` names the rows that a training does by torch's own layer, since they gain nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from components.nets.modules import few_places

# photos, channels in, side, channels out, side of the kernel
NARROWING = [
    *((1, 512, side, 512, 4) for side in (2, 4, 8, 16)),
    *((4, 512, 8, 512, 4), (1, 256, 32, 512, 4), (4, 512, 4, 512, 3), (4, 512, 8, 512, 3)),
]
WIDENING = [
    *((1, 1024, side, 512, 4) for side in (1, 2, 4, 8)),
    *((1, 1024, 16, 256, 4), (4, 1024, 2, 512, 4), (4, 1024, 8, 512, 4)),
]


def main() -> None:
    """Print a row a shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| layer | places | precision | torch, ms | product, ms | times | |")
    print("| --- | ---: | --- | ---: | ---: | ---: | --- |")
    for precision in (torch.bfloat16, torch.float32):
        for shape in NARROWING:
            row(nn.Conv2d, few_places.Conv2d, shape, precision, arguments.rounds)
        for shape in WIDENING:
            row(nn.ConvTranspose2d, few_places.ConvTranspose2d, shape, precision, arguments.rounds)


def row(
    plain: type[nn.Module],
    ours: type[nn.Module],
    shape: tuple[int, int, int, int, int],
    precision: torch.dtype,
    rounds: int,
) -> None:
    """Time both kinds of one layer in turns."""
    photos, channels, side, out, size = shape
    settings = {"stride": 2 if size == 4 else 1, "padding": 1}
    x_NCHW = torch.randn(photos, channels, side, side)
    layers = [kind(channels, out, size, **settings) for kind in (plain, ours)]
    most = few_places.MOST_PLACES, few_places.MOST_PLACES_TRANSPOSED
    limits = [dict(one) for one in most]
    transposed = plain is nn.ConvTranspose2d
    places = photos * side**2 // (1 if transposed or size == 3 else 4)
    by_rule = places <= limits[transposed].get(precision, 0)
    for one in most:  # the product for every shape
        one[precision] = 1 << 20
    found: list[list[float]] = [[], []]
    for turn in range(rounds + 2):
        for times, layer in zip(found, layers, strict=True):
            took = _worked(partial(_there_and_back, layer, x_NCHW, precision))
            if turn > 1:
                times.append(took)
    for one, limit in zip(most, limits, strict=True):
        one.update(limit)
    times = statistics.median(a / b for a, b in zip(*found, strict=True))
    name = f"{photos} × {channels} × {side}² to {out}, {size}×{size}{' transposed' if transposed else ''}"
    told = f"| {name} | {places} | {str(precision).removeprefix('torch.')} |"
    told += "".join(f" {1000 * statistics.median(each):.1f} |" for each in found)
    print(f"{told} {times:.2f} | {'' if by_rule else 'plain'} |", flush=True)


def _there_and_back(layer: nn.Module, x_NCHW: Tensor, precision: torch.dtype) -> None:
    layer.zero_grad(set_to_none=True)
    at = x_NCHW.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        made = layer(at)
    made.backward(torch.ones_like(made))


def _worked(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
