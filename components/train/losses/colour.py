"""Photos in CIE L*a*b*, and behind a Gaussian blur."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Linear sRGB to CIE XYZ, from the primaries and the white point D65 of IEC 61966-2-1; rows X, Y, Z.
XYZ = (
    (0.4123908, 0.3575843, 0.1804808),
    (0.2126390, 0.7151687, 0.0721923),
    (0.0193308, 0.1191948, 0.9505322),
)
SRGB_KNEE = 0.04045
LAB_KNEE = (6 / 29) ** 3


def lab(photo_NCHW: Tensor, matrix: Tensor) -> Tensor:
    """CIE L*a*b* of sRGB photos in [-1, 1]: (N, 3, H, W), L* from 0 to 100. matrix: `xyz_matrix`.

    Both curves' straight pieces go on below black and their powers above white, so values out of
    range keep a finite slope.
    """
    srgb = (photo_NCHW + 1) / 2
    # Each branch gets only arguments it can take: a NaN slope would survive `where`.
    linear = torch.where(
        srgb > SRGB_KNEE, ((srgb.clamp_min(SRGB_KNEE) + 0.055) / 1.055).pow(2.4), srgb / 12.92
    )
    xyz = F.conv2d(linear, matrix)
    f = torch.where(xyz > LAB_KNEE, xyz.clamp_min(LAB_KNEE).pow(1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def xyz_matrix(device: torch.device) -> Tensor:
    """Linear sRGB to XYZ over white's XYZ, as a 1×1 convolution's weights; its rows sum to 1, so
    that greys have no colour at all.
    """
    matrix = torch.tensor(XYZ, device=device)
    return (matrix / matrix.sum(1, keepdim=True)).view(3, 3, 1, 1)


def smoothed(photo_NCHW: Tensor, bell: Tensor) -> Tensor:
    """The photo under the bell, down and then across."""
    channels, radius = photo_NCHW.shape[1], len(bell) // 2
    for shape, padding in (((1, 1, -1, 1), (radius, 0)), ((1, 1, 1, -1), (0, radius))):
        kernel = bell.view(shape)
        inside = F.conv2d(torch.ones_like(photo_NCHW[:1, :1]), kernel, padding=padding)
        photo_NCHW = (
            F.conv2d(photo_NCHW, kernel.expand(channels, -1, -1, -1), padding=padding, groups=channels)
            / inside
        )
    return photo_NCHW


def bell_of(sigma_px: float, device: torch.device) -> Tensor:
    """The Gaussian's weights along one axis, summing to 1."""
    radius = math.ceil(10 / 3 * sigma_px)  # 21 px for a sigma of 3, as DPED's code has it
    bell = torch.tensor(
        [math.exp(-0.5 * (place / sigma_px) ** 2) for place in range(-radius, radius + 1)], device=device
    )
    return bell / bell.sum()
