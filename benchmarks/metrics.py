"""How long PSNR and SSIM of one 1280×720 photo take: ours, scikit-image's, torchmetrics'. Rounds
alternate, so that a busy moment hits all.

    python benchmarks/metrics.py [--threads 1] [--rounds 9]

The photos are made from a seed. Ours and torchmetrics get float tensors in [0, 1], skimage 8-bit
arrays, both made outside the timing. torchmetrics pads the border and averages over it, so its SSIM
is another number.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from components.metrics import psnr_rgb, ssim_gauss11_rgb


def contenders() -> dict[str, Callable[[], object]]:
    """Name to a call that measures one pair and gives the value."""
    noise = np.random.default_rng(0)
    coarse = noise.random((45, 80, 3)).repeat(16, 0).repeat(16, 1)
    target = np.rint(np.clip(coarse + noise.normal(0, 0.05, coarse.shape), 0, 1) * 255).astype(np.uint8)
    blurred = ((target.astype(np.uint16) + np.roll(target, 3, 0) + np.roll(target, 5, 1)) // 3).astype(
        np.uint8
    )
    x, y = (
        torch.from_numpy(photo).permute(2, 0, 1)[None].contiguous().float() / 255
        for photo in (blurred, target)
    )
    gaussian = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "channel_axis": -1,
        "data_range": 255,
    }
    return {
        "psnr ours": lambda: psnr_rgb(x, y).item(),
        "psnr skimage": lambda: peak_signal_noise_ratio(target, blurred),
        "psnr torchmetrics": lambda: torchmetrics_psnr(x, y, data_range=1.0).item(),
        "ssim ours": lambda: ssim_gauss11_rgb(x, y).item(),
        "ssim skimage": lambda: structural_similarity(blurred, target, **gaussian),
        "ssim torchmetrics": lambda: torchmetrics_ssim(x, y, data_range=1.0).item(),
    }


def main() -> None:
    """Time every contender in alternating rounds and print one line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    calls = contenders()
    values = {name: call() for name, call in calls.items()}  # also the warm-up
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(chosen.rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - began) * 1e3)
    print(
        f"one 1280×720 RGB pair, {chosen.threads} thread(s), median of {chosen.rounds} (minimum .. maximum)"
    )
    for name, times in taken.items():
        print(
            f"{name:<20}{statistics.median(times):8.2f} ms ({min(times):.2f} .. {max(times):.2f})   value"
            f" {values[name]:.6f}"
        )


if __name__ == "__main__":
    main()
