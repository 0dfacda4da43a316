"""The small U-Net of the demo: cheap, and untrained it changes nothing."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.generators.part import GeneratorPart, Headed, weight_source
from components.nets.layers import NoNorm, Norm, begin

SLOPE = 0.1


class UNet(GeneratorPart):
    """Small U-Net (Ronneberger et al. 2015) that adds its output to the photo; untrained it changes
    nothing.
    """

    kind: Literal["unet"] = "unet"
    width: int = Field(
        32, ge=4, le=512, description="channels at full size; doubled at each level up to `widest`"
    )
    depth: int = Field(3, ge=1, le=7, description="halvings")
    widest: int = Field(256, ge=4, le=2048, description="most channels at any level")
    fold: Literal[1, 2, 4] = Field(
        1,
        description=(
            "work on blocks of so many px a side as channels: the square of it less work, a view as much"
            " wider"
        ),
    )
    norm: Norm = Field(
        NoNorm(), description="normalisation behind each convolution; none keeps brightness as it is"
    )

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(self.fold * 2**self.depth)

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head begins at zero."""
        body = UNetBody(self)
        begin(body, "he", weight_source(seed), slope=SLOPE)
        nn.init.zeros_(body.head.weight)
        return Headed(body, "added_residual")


class UNetBody(nn.Module):
    """Two 3×3 convolutions a level, halved by stride, doubled by resize convolution, levels joined
    by concatenation (Ronneberger et al. 2015).

    fold: px of a fold × fold block become channels first (Shi et al. 2016, the inverse of eq. 4):
    fold² times less work, as much wider a view. The last layer begins at zero, so that with a
    residual output an untrained net leaves the photo as it is.
    """

    def __init__(self, part: UNet) -> None:
        super().__init__()
        self.fold = part.fold
        channels = [min(part.width * 2**level, part.widest) for level in range(part.depth + 1)]
        self.stem = _twice(3 * self.fold**2, channels[0], part.norm, stride=1)
        self.down = nn.ModuleList(
            _twice(above, below, part.norm, stride=2) for above, below in itertools.pairwise(channels)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), _reflected(below, above))
            for above, below in itertools.pairwise(channels)
        )
        self.merge = nn.ModuleList(_twice(2 * above, above, part.norm, stride=1) for above in channels[:-1])
        self.head = _reflected(channels[0], 3 * self.fold**2)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W), H and W multiples of fold · 2**depth; same shape out, any range."""
        levels = [self.stem(F.pixel_unshuffle(x_NCHW, self.fold))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            y = merge(torch.cat([up(y), levels.pop()], dim=1))
        return F.pixel_shuffle(self.head(y), self.fold)


def _reflected(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")


def _twice(channels_in: int, channels_out: int, norm: Norm, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1),
        *norm.layers(channels_out),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        *norm.layers(channels_out),
        nn.LeakyReLU(SLOPE, inplace=True),
    )
