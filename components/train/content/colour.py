"""Content losses on colour: of the photos seen from afar, and in the coordinates of human vision."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from components.train.content.part import ContentLoss, ContentPart, in_float32

# Linear sRGB to CIE XYZ, from the primaries and the white point D65 of IEC 61966-2-1; rows X, Y, Z.
XYZ = (
    (0.4123908, 0.3575843, 0.1804808),
    (0.2126390, 0.7151687, 0.0721923),
    (0.0193308, 0.1191948, 0.9505322),
)
SRGB_KNEE = 0.04045
LAB_KNEE = (6 / 29) ** 3


class ColourConsistency(ContentPart):
    """Mean squared difference of the two photos behind a Gaussian blur: colour and brightness, not
    texture (DPED: Ignatov et al. 2017).

    Their paper's formula blurs by about 1.7 px and says 3; their code blurs by 4.7 px. They sum
    over pixels where this is a mean. At the photo's border the window is cut, and its weights sum
    to 1 again.
    """

    kind: Literal["colour_consistency"] = "colour_consistency"
    sigma_px: float = Field(
        3.0,
        ge=0.5,
        le=32,
        description="standard deviation of the blur; texture finer than about twice this does not count",
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean (blur(restored) - blur(sharp))²: a cast of c everywhere costs c²."""
        radius = math.ceil(10 / 3 * self.sigma_px)  # 21 px for a sigma of 3, theirs
        bell = torch.tensor(
            [math.exp(-0.5 * (place / self.sigma_px) ** 2) for place in range(-radius, radius + 1)],
            device=device,
        )
        bell = bell / bell.sum()
        # The blur is linear: one of the difference does for both.
        return in_float32(lambda restored, target: _blurred(restored - target, bell).square().mean())


class LAB(ContentPart):
    """Mean absolute difference in CIE L*a*b* (CIE 15; D65, 2° observer): steps that look alike
    count alike, brightness apart from colour.
    """

    kind: Literal["lab"] = "lab"
    lightness: float = Field(
        1.0, ge=0, description="weight of L* beside a* and b*; 0 compares the colours alone"
    )

    def build(self, device: torch.device, weights: Path | None) -> ContentLoss:
        """mean over px of (lightness · |ΔL*| + |Δa*| + |Δb*|) / 100: black against white costs 1."""
        scales = torch.tensor([self.lightness, 1.0, 1.0], device=device).view(1, 3, 1, 1) / 100
        matrix = xyz_matrix(device)
        return in_float32(
            lambda restored, target: (
                ((lab(restored, matrix) - lab(target, matrix)).abs() * scales).sum(1).mean()
            )
        )


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


def _blurred(photo_NCHW: Tensor, bell: Tensor) -> Tensor:
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
