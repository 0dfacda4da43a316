"""PSNR and SSIM as super-resolution papers give them: on brightness alone, without the photo's
border.

Papers measure Y of BT.601 as MATLAB's rgb2ycbcr makes it of 8-bit photos (16 to 235, rounded), cut
as many pixels at each border as the scale, and take 255 as the data range although Y spans 219
levels. Checked on Set5 ×4 (benchmarks/baselines.py): bicubic reads 28.42 dB and 0.8102, published
are 28.42 and 0.8104; without rounding Y it reads 28.43 and 0.8113.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.metrics.photos import check_photos
from components.metrics.ssim import WINDOW_PX, mean_similarity

if TYPE_CHECKING:
    from torch import Tensor

BORDER_PX = 4
WEIGHTS = (
    65_481,
    128_553,
    24_966,
)  # thousandths of a level for R, G and B of 255 each: ITU-R BT.601, studio range
BLACK = 16


def psnr_y_crop4(restored: Tensor, target: Tensor) -> Tensor:
    """PSNR of the 8-bit Y channel without its 4 px border, per photo; higher is better, identical
    photos give infinity.

    restored, target: (N, 3, H, W) floats in [0, 1], at least 9 px on each side.
    Returns (N,) float64 without gradient, decibels: 10 log10(255² / mean squared error in levels).
    Raises InputError for other shapes, ranges or NaN.

    Others: BasicSR's `test_y_channel` leaves Y unrounded and reads up to 0.04 dB more.
    """
    check_photos(restored, target, smallest_px=2 * BORDER_PX + 1, why="a border of 4 px is cut on each side")
    error = (luma_levels(restored) - luma_levels(target))[:, :, BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    return -10.0 * (error / 255.0).flatten(1).square().mean(1).log10()


def ssim_y_crop4(restored: Tensor, target: Tensor) -> Tensor:
    """SSIM of the 8-bit Y channel without its 4 px border, per photo; 1 for identical photos,
    higher is better.

    restored, target: (N, 3, H, W) floats in [0, 1], at least 19 px on each side. Window as in
    ssim_gauss11_rgb, data range 255.
    Returns (N,) float64 without gradient.
    Raises InputError for other shapes, ranges or NaN.
    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004; the authors' MATLAB code without its
    later automatic shrinking.
    """
    check_photos(
        restored,
        target,
        smallest_px=2 * BORDER_PX + WINDOW_PX,
        why="a border of 4 px is cut on each side, and one window of 11 px is needed",
    )
    ours, theirs = (
        (luma_levels(photo) / 255.0)[:, :, BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
        for photo in (restored, target)
    )
    return mean_similarity(ours, theirs)


def luma_levels(photo: Tensor) -> Tensor:
    """Y of BT.601 in whole 8-bit levels, 16 to 235: (N, 3, H, W) floats in [0, 1], rounded to 8 bit
    first, to (N, 1, H, W) float64.

    In whole numbers, since Y of 8-bit colours often lies exactly between two levels; halves go up.
    """
    red, green, blue = (photo.detach().double() * 255.0).round().long().unbind(1)
    thousandths = WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
    return ((thousandths + 127_500).div(255_000, rounding_mode="floor") + BLACK).double().unsqueeze(1)
