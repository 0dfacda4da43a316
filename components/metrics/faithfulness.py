"""How far a restored photo is from what it is held against once fine detail is averaged away: where there
is no target, from its own input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.metrics.photos import check_photos

if TYPE_CHECKING:
    from torch import Tensor

SHRUNK = 4  # px a side that are averaged: blur and sharpness differ within, colour and content beyond


def rmse_shrunk4_rgb(restored: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared difference of both photos shrunk 4 times by averaging, in levels of 255;
    lower is nearer, 0 for equal photos.

    restored, target: (N, 3, H, W) floats in [0, 1]; rows and columns beyond a multiple of 4 are left out.
    Returns (N,) float64 without gradient. 20 log10(255 / value) is the PSNR of the shrunk photos.
    Raises InputError for other shapes, ranges or NaN.
    """
    from torch.nn import functional as F

    check_photos(restored, target, smallest_px=SHRUNK, why="one mean")
    error = F.avg_pool2d((restored.detach().double() - target.detach().double()), SHRUNK)
    return 255.0 * error.flatten(1).square().mean(1).sqrt()
