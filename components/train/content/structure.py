"""Content losses on local structure: SSIM and its five-scale form, with the window and constants of
the metric `ssim_gauss11_rgb`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from components.metrics.ssim import C1, C2, WINDOW_PX, gaussian_weights
from components.train.content.part import ContentLoss, ContentPart, in_float32

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, finest first
# Photos that are each other's negative have a negative similarity, of which there is no power.
# Nearer to zero the power's slope explodes.
LEAST_SIMILARITY = 1e-4


class SSIM(ContentPart):
    """One minus the structural similarity (Wang et al. 2004, eq. 13; as a loss Zhao et al. 2017)."""

    kind: Literal["ssim"] = "ssim"

    @property
    def smallest_px(self) -> int:
        """One window."""
        return WINDOW_PX

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """1 - mean SSIM over windows wholly inside and channels: 0 for equal photos, at most 2."""
        column = _column(device)
        return in_float32(
            lambda restored, target: 1 - _similarity((restored + 1) / 2, (target + 1) / 2, column)[0].mean()
        )


class MSSSIM(ContentPart):
    """One minus the five-scale structural similarity (Wang, Simoncelli & Bovik 2003, eq. 7; as a
    loss Zhao et al. 2017).

    Contrast and structure are compared at every scale, brightness at the coarsest alone. A halving
    averages 2×2 px; an odd last row or column stays as it is.
    """

    kind: Literal["ms_ssim"] = "ms_ssim"

    @property
    def smallest_px(self) -> int:
        """One window after four halvings: 161 px become 81, 41, 21 and 11."""
        return int((WINDOW_PX - 1) * 2 ** (len(SCALE_WEIGHTS) - 1)) + 1

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """1 - MS-SSIM per photo over its three channels, 0 for equal photos, at most 1; the mean
        over the batch.
        """
        column = _column(device)
        return in_float32(
            lambda restored, target: 1 - _multiscale((restored + 1) / 2, (target + 1) / 2, column).mean()
        )


def _multiscale(restored: Tensor, target: Tensor, column: Tensor) -> Tensor:
    """MS-SSIM per photo, (N,); photos in [0, 1]."""
    result = torch.ones(len(target), device=target.device)
    last = len(SCALE_WEIGHTS) - 1
    for scale, exponent in enumerate(SCALE_WEIGHTS):
        whole, structure = _similarity(restored, target, column)
        part = whole if scale == last else structure
        result = result * part.flatten(1).mean(1).clamp_min(LEAST_SIMILARITY).pow(exponent)
        if scale < last:
            restored, target = (
                F.avg_pool2d(restored, 2, ceil_mode=True),
                F.avg_pool2d(target, 2, ceil_mode=True),
            )
    return result


def _similarity(restored: Tensor, target: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
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


def _column(device: torch.device) -> Tensor:
    """One column of the window, a kernel to convolve with: (1, 1, 11, 1)."""
    return torch.tensor(gaussian_weights(), device=device).view(1, 1, WINDOW_PX, 1)
