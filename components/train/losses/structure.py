"""Structural similarity with its graph, at one scale and at five."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from components.metrics.ssim import C1, C2, WINDOW_PX, gaussian_weights

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, finest first
# Photos that are each other's negative have a negative similarity, of which there is no power; nearer
# to zero the power's slope explodes.
LEAST_SIMILARITY = 1e-4


def multiscale_similarity(restored: Tensor, target: Tensor, column: Tensor) -> Tensor:
    """MS-SSIM per photo, (N,); photos in [0, 1].

    Where a scale's similarity is below zero, each unit of it takes off that scale's exponent: there the
    product is flat, and photos could not find out of it.
    """
    below = torch.zeros(len(target), device=target.device)
    result = torch.ones(len(target), device=target.device)
    last = len(SCALE_WEIGHTS) - 1
    for scale, exponent in enumerate(SCALE_WEIGHTS):
        whole, structure = similarity(restored, target, column)
        part = whole if scale == last else structure
        mean = part.flatten(1).mean(1)
        result = result * mean.clamp_min(LEAST_SIMILARITY).pow(exponent)
        below = below + exponent * (mean - LEAST_SIMILARITY).clamp_max(0.0)
        if scale < last:
            restored, target = (
                F.avg_pool2d(restored, 2, ceil_mode=True),
                F.avg_pool2d(target, 2, ceil_mode=True),
            )
    return result + below


def similarity(restored: Tensor, target: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-and-structure factor for each window, (N, 3, H - 10, W - 10) each;
    photos in [0, 1].

    In sum and difference, as the metric is written: four filtered maps instead of five, and equal
    photos give exactly 1.
    """
    s, d = restored + target - 1.0, restored - target
    mean_s, mean_d, square_s, square_d = _window_mean(
        torch.cat((s, d, s.square(), d.square()), 1), column
    ).chunk(4, 1)
    # Rounding may leave a variance below zero where values are far out of range.
    variance_s, variance_d = (
        (square_s - mean_s.square()).clamp_min(0),
        (square_d - mean_d.square()).clamp_min(0),
    )
    light_s, light_d = (mean_s + 1.0).square(), mean_d.square()
    structure = (variance_s - variance_d + 2 * C2) / (variance_s + variance_d + 2 * C2)
    return (light_s - light_d + 2 * C1) / (light_s + light_d + 2 * C1) * structure, structure


def _window_mean(maps_NCHW: Tensor, column: Tensor) -> Tensor:
    """The Gaussian mean of every window that lies wholly inside, first down, then across."""
    channels = maps_NCHW.shape[1]
    kernel = column.expand(channels, -1, -1, -1)
    return F.conv2d(F.conv2d(maps_NCHW, kernel, groups=channels), kernel.transpose(2, 3), groups=channels)


def window_column(device: torch.device) -> Tensor:
    """One column of the window, a kernel to convolve with: (1, 1, 11, 1)."""
    return torch.tensor(gaussian_weights(), device=device).view(1, 1, WINDOW_PX, 1)
