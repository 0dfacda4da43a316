"""Structural similarity with the window of its paper, counted only where the window lies wholly
inside the photo.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from components.metrics.photos import check_photos

if TYPE_CHECKING:
    from torch import Tensor

WINDOW_PX = 11
SIGMA_PX = 1.5
C1, C2 = 0.01**2, 0.03**2  # K1, K2 of Wang et al. 2004, section III-C, for a data range of 1
STRIP_VALUES = (
    1 << 17
    # of one of four maps, so that a strip stays in a processor's cache (measured: whole photos take 5
    # to 10 times longer)
)
STRIP_VALUES_GPU = 1 << 24  # few launches; bounds the memory


def ssim_gauss11_rgb(restored: Tensor, target: Tensor) -> Tensor:
    """How alike two photos are in local brightness, contrast and structure, per photo; 1 for
    identical photos, higher is better.

    restored, target: (N, 3, H, W) floats in [0, 1], at least 11 px on each side. 11×11 Gaussian
    window with sigma 1.5, windows wholly inside, biased covariance, mean over windows and the three
    channels.
    Returns (N,) float64, without gradient.
    Raises InputError for other shapes, ranges or NaN.
    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 2004, eq. 13 and
    section III-C.

    Others: BasicSR and skimage (`gaussian_weights=True, sigma=1.5, use_sample_covariance=False`)
    agree to 6 decimals, kornia with `padding="valid"` to 6e-6. torchmetrics and kornia's default
    pad the border and average over it: up to 0.002 off at 1280x720, more on smaller photos.
    skimage's default is a flat 7×7 window: 0.005 to 0.03 off.
    """
    check_photos(restored, target, smallest_px=WINDOW_PX)
    return mean_similarity(restored.detach(), target.detach())


def mean_similarity(restored: Tensor, target: Tensor) -> Tensor:
    """SSIM averaged over windows and channels: (N, C, H, W) floats for a data range of 1, sides at
    least 11 px, to (N,) float64.
    """
    import torch

    count, channels, height, width = target.shape
    budget = STRIP_VALUES_GPU if target.is_cuda else STRIP_VALUES
    rows = max(WINDOW_PX, budget // (count * channels * width))
    total = torch.zeros(count, dtype=torch.float64, device=target.device)
    for top in range(0, height - WINDOW_PX + 1, rows):
        strip = slice(top, top + rows + WINDOW_PX - 1)
        total += _similarity(restored[:, :, strip], target[:, :, strip])
    return total / (channels * (height - WINDOW_PX + 1) * (width - WINDOW_PX + 1))


def _similarity(x: Tensor, y: Tensor) -> Tensor:
    """The sum of SSIM over all windows of a strip, (N,) float64.

    Written in sum and difference: with s = x + y and d = x - y every term of the paper's formula is
    a half of s's moment plus or minus d's. That takes four filtered maps instead of five, and
    identical photos (d = 0) give exactly 1.
    """
    import torch

    if x.element_size() < 4:
        x, y = x.float(), y.float()
    # Minus 1, so that s lies around 0: a variance does not change, and single precision loses least
    # where values are small.
    s, d = x + y - 1.0, x - y
    # All four maps at once: every step waits for the slowest thread, so few steps stay quick on a
    # busy machine.
    mean_s, mean_d, variance_s, variance_d = _window_mean(
        torch.stack((s, d, s.square(), d.square()))
    ).unbind()
    square_d = mean_d.square_()
    variance_s.sub_(mean_s.square())
    variance_d.sub_(square_d)
    square_s = mean_s.add_(1.0).square_()
    likeness = (square_s - square_d).add_(2 * C1).mul_((variance_s - variance_d).add_(2 * C2))
    most = square_s.add_(square_d).add_(2 * C1).mul_(variance_s.add_(variance_d).add_(2 * C2))
    return likeness.div_(most).flatten(1).double().sum(1)


def _window_mean(maps: Tensor) -> Tensor:
    """The Gaussian mean of every window that lies wholly inside: (..., H, W) to (..., H - 10, W -
    10).
    """
    for axis in (-2, -1):
        length = maps.shape[axis] - WINDOW_PX + 1
        weights = gaussian_weights()
        middle = WINDOW_PX // 2
        mean = maps.narrow(axis, middle, length) * weights[middle]
        for side in range(middle):  # the window is symmetric: one product for two pixels
            mean.add_(
                maps.narrow(axis, side, length) + maps.narrow(axis, WINDOW_PX - 1 - side, length),
                alpha=weights[side],
            )
        maps = mean
    return maps


@cache
def gaussian_weights() -> tuple[float, ...]:
    """The 11 weights of the window along one axis, summing to 1."""
    bell = [math.exp(-((place - WINDOW_PX // 2) ** 2) / (2 * SIGMA_PX**2)) for place in range(WINDOW_PX)]
    return tuple(weight / sum(bell) for weight in bell)
