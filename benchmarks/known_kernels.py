"""What Wiener filters would gain if the blur were known: python benchmarks/known_kernels.py [--pairs DIR].

Of each test pair of the demo (or of a set of pairs in DIR), the kernel that least squares finds between
target and input, then `wiener_unet`'s filters for it at the best of five noise levels; beside it the same
with the kernel's phase left out, which is all that an autocorrelation can tell. A bound for what a net that
tells the kernel may hope for from its filters alone. Half a minute.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from components import recipes
from components.core.images import read_rgb
from components.core.records import PairSet
from components.ingest.run import run as ingest
from components.nets.modules.wiener import REACH, filtered, wiener_filters
from components.synthesize.run import run as synthesize

RADIUS = 8  # px of the kernels
NOISE = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, help="folder of a set of pairs; the demo's when left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        pairs = PairSet.load(arguments.pairs) if arguments.pairs else demo_pairs(Path(place))
        gains: dict[str, list[float]] = {"kernel known": [], "its phase left out": []}
        for pair in pairs.pairs("test"):
            input, target = (shown(pairs.folder / name) for name in (pair.input, pair.target))
            kernel = kernel_of(input, target)
            for name, known in zip(gains, (kernel, without_phase(kernel)), strict=True):
                gains[name].append(best(input, target, known))
    for name, found in gains.items():
        print(
            f"{name:20} mean {statistics.fmean(found):+.2f} dB, {min(found):+.2f} to {max(found):+.2f},"
            f" {len(found)} pairs"
        )


def demo_pairs(place: Path) -> PairSet:
    recipe = recipes.load("demo")
    return synthesize(recipe.synthesize, ingest(recipe.ingest, out=place / "photos"), out=place / "pairs")


def shown(path: Path) -> Tensor:
    """(1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(read_rgb(path).astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


def kernel_of(input: Tensor, target: Tensor) -> Tensor:
    """The kernel, not negative and of sum 1, that makes the target nearest to the input."""
    light, side = target.double().mean((0, 1)), 2 * RADIUS + 1
    shifted = F.unfold(light[None, None], side)[0].T
    blurred = input.double().mean((0, 1))[RADIUS:-RADIUS, RADIUS:-RADIUS].reshape(-1, 1)
    square = shifted.T @ shifted + 1e-3 * torch.eye(side**2, dtype=torch.float64)
    kernel: Tensor = (
        torch.linalg.solve(square, shifted.T @ blurred).reshape(side, side).flip(0, 1).clamp(min=0)
    )
    kernel[kernel < 0.02 * kernel.max()] = 0
    return (kernel / kernel.sum()).float()


def without_phase(kernel: Tensor) -> Tensor:
    """The kernel of the same power at every frequency that lies evenly around its middle."""
    size = (2 * len(kernel), 2 * len(kernel))
    even = torch.fft.irfft2(torch.fft.rfft2(kernel, s=size).abs().to(torch.complex64), s=size)
    return torch.roll(even, (RADIUS, RADIUS), (0, 1))[: len(kernel), : len(kernel)]


def best(input: Tensor, target: Tensor, kernel: Tensor) -> float:
    """The gain in PSNR, in dB, at the best of the noise levels."""
    filters = wiener_filters(kernel[None], torch.tensor([NOISE]))
    restored = filtered(F.pad(input, (REACH,) * 4, mode="reflect"), filters)[0].clamp(-1, 1)
    errors = (restored - target).square().mean((1, 2, 3))
    return float(10 * ((input - target).square().mean() / errors.min()).log10())


if __name__ == "__main__":
    main()
