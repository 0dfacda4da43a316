"""pix2pix' U-Net of 4×4 halvings, with or without its skips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.attention import Attention
from components.nets.choices import Upsampling
from components.nets.modules.convolutions import conv, double
from components.nets.modules.dropout import BitDropout
from components.nets.norms import Norm


class Slopes(NamedTuple):
    """Slopes of the rectifiers below zero; 0 for a plain one."""

    encoder: float
    decoder: float
    skip: float
    bottleneck: float


class ConvUNetBody(nn.Module):
    """Halvings, doublings and what joins them. A level's features are kept unrectified, so that
    each use can rectify them its own way. The settings are those of `generators.conv_unet.ConvUNet`.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        widest: int,
        norm: Norm,
        bottleneck_norm: bool,
        skips: bool,
        dropout: float,
        dropout_ups: Sequence[int],
        upsampling: Upsampling,
        bias: bool,
        separable: bool,
        attention: Attention | None,
        slopes: Slopes,
    ) -> None:
        super().__init__()
        self.skips, self.slopes = skips, slopes

        def halve(level: int, above: int, here: int) -> list[nn.Module]:
            normed = bottleneck_norm if level == depth else level > 1
            return [
                *conv(above, here, 4, stride=2, bias=bias, separable=separable and level > 1),
                *(norm.layers(here) if normed else []),
                *([attention.layer(here)] if attention and attention.level == level else []),
            ]

        def enlarge(number: int, below: int, here: int) -> list[nn.Module]:
            joined = 2 * below if skips and number > 1 else below
            if number == depth:
                return double(upsampling, joined, here, 4)
            return [
                *double(upsampling, joined, here, 4, bias=bias, separable=separable),
                *norm.layers(here),
                *([BitDropout(dropout)] if dropout > 0 and number in dropout_ups else []),
            ]

        channels = [min(width * 2**level, widest) for level in range(depth)]
        down, up = itertools.pairwise([3, *channels]), itertools.pairwise([*reversed(channels), 3])
        self.down = nn.ModuleList(nn.Sequential(*halve(level, *pair)) for level, pair in enumerate(down, 1))
        self.up = nn.ModuleList(nn.Sequential(*enlarge(number, *pair)) for number, pair in enumerate(up, 1))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W), H and W multiples of 2**depth; same shape out, any range."""
        slopes = self.slopes
        levels = [self.down[0](x_NCHW)]
        for down in self.down[1:]:
            levels.append(down(F.leaky_relu(levels[-1], slopes.encoder)))
        y = F.leaky_relu(levels.pop(), slopes.bottleneck)
        for up in self.up[:-1]:
            y = F.leaky_relu(up(y), slopes.decoder)
            kept = levels.pop()
            if self.skips:
                y = torch.cat([y, F.leaky_relu(kept, slopes.skip)], dim=1)
        return self.up[-1](y)  # type: ignore[no-any-return]
