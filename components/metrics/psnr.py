"""Peak signal-to-noise ratio: the mean squared error on a scale where 20 dB is an error of a tenth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.metrics.photos import check_photos

if TYPE_CHECKING:
    from torch import Tensor


def psnr_rgb(restored: Tensor, target: Tensor) -> Tensor:
    """How faint the error is beside the full range of values, per photo; higher is better,
    identical photos give infinity.

    restored, target: (N, 3, H, W) floats in [0, 1]. The squared error is averaged over all pixels
    and the three channels together.
    Returns (N,) float64 without gradient, decibels: -10 log10(mean squared error).
    Raises InputError for other shapes, ranges or NaN.

    Others: skimage and BasicSR agree to 6 decimals; kornia and torchmetrics (which averages over
    the batch before the logarithm unless told `dim`) to 4e-6 dB; BasicSR's torch version adds 1e-8
    to the error and so stops at 80 dB.
    """
    check_photos(restored, target)
    restored, target = restored.detach(), target.detach()
    error = (
        restored - target if restored.element_size() >= 4 else restored.float() - target.float()
    ).flatten(1)
    # Single precision for the squares costs 1e-6 dB; for their sum over a large photo it would cost
    # more.
    return -10.0 * error.square_().double().mean(1).log10()
