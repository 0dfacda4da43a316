"""Convolutions, forward and back, as torch has them and by tiles
(components/nets/modules/winograd.py): python benchmarks/winograd.py [--rounds 5] [--threads 1].

Layers of deblurgan (3×3 of 256 channels on 64×64 places; 4×4 of its PatchGAN), of VGG19 and of others; both
take turns, milliseconds of the processor, and the median of the rounds' own ratios. Errors are of answers
and of both gradients beside float64, as root mean squares over that of the value: torch's, then by tiles.
`plain` names the rows that go by torch's own layer on this machine, since they gain nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

import torch
from torch import Tensor, nn

from components.core.memory import keeping_freed
from components.nets.modules import winograd
from components.nets.modules.tiled_convolutions import Conv2d

# photos, channels in, channels out, side, side of the kernel
SHAPES = [
    *((1, 256, 256, 64, 3), (5, 256, 256, 64, 3), (1, 128, 256, 64, 3), (1, 128, 128, 128, 3)),
    *((1, 64, 128, 128, 3), (1, 64, 64, 256, 3), (1, 512, 512, 32, 3), (4, 512, 512, 16, 3)),
    *((1, 256, 256, 16, 3), (2, 256, 512, 32, 4), (1, 256, 512, 32, 4), (16, 256, 512, 32, 4)),
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
    print("| layer | torch, ms | tiles, ms | times | errors of torch | by tiles | |")
    print("| --- | ---: | ---: | ---: | --- | --- | --- |")
    with keeping_freed():  # as in a training
        for shape in SHAPES:
            row(shape, arguments.rounds)


def row(shape: tuple[int, int, int, int, int], rounds: int) -> None:
    """Time and hold against float64 both kinds of one layer."""
    photos, channels, out, side, kernel = shape
    torch.manual_seed(0)
    x_NCHW = torch.randn(photos, channels, side, side).contiguous(memory_format=torch.channels_last)
    g_NCHW = torch.randn(photos, out, side + 3 - kernel, side + 3 - kernel).contiguous(
        memory_format=torch.channels_last
    )
    plain = nn.Conv2d(channels, out, kernel, padding=1).to(memory_format=torch.channels_last)
    tiled = Conv2d(channels, out, kernel, padding=1).to(memory_format=torch.channels_last)
    tiled.load_state_dict(plain.state_dict())
    truth = nn.Conv2d(channels, out, kernel, padding=1).double()
    truth.load_state_dict(plain.state_dict())
    by_rule = winograd.gains(x_NCHW.shape, plain.weight, torch.float32)
    exact = there_and_back(truth, x_NCHW.double(), g_NCHW.double())
    rule, winograd.gains = winograd.gains, lambda x, weight, precision, plain=True: precision == torch.float32
    try:
        works = [partial(there_and_back, layer, x_NCHW, g_NCHW) for layer in (plain, tiled)]
        errors = [
            ", ".join(
                f"{rms(ours - theirs) / rms(theirs):.2g}" for ours, theirs in zip(work(), exact, strict=True)
            )
            for work in works
        ]
        found: list[list[float]] = [[], []]
        for _ in range(rounds):
            for times, work in zip(found, works, strict=True):
                began = time.process_time()
                work()
                times.append(time.process_time() - began)
    finally:
        winograd.gains = rule
    times = statistics.median(a / b for a, b in zip(*found, strict=True))
    name = f"{photos} × {channels} × {side}² to {out}, {kernel}×{kernel}"
    told = f"| {name} |" + "".join(f" {1000 * statistics.median(each):.1f} |" for each in found)
    print(f"{told} {times:.2f} | {errors[0]} | {errors[1]} | {'' if by_rule else 'plain'} |", flush=True)


def there_and_back(layer: nn.Module, x_NCHW: Tensor, g_NCHW: Tensor) -> list[Tensor]:
    """Answers, gradient of the input, gradient of the weights."""
    layer.zero_grad(set_to_none=True)
    at = x_NCHW.detach().requires_grad_()
    made: Tensor = layer(at)
    torch.autograd.backward(made, g_NCHW)
    weights = next(layer.parameters()).grad
    assert at.grad is not None
    assert weights is not None
    return [made.detach().double(), at.grad.double(), weights.double()]


def rms(values: Tensor) -> float:
    """Root mean square."""
    return values.square().mean().sqrt().item()


if __name__ == "__main__":
    main()
