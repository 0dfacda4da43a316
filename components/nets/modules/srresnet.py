"""SRGAN's super-resolution net: blocks and a long skip at the small size, then doublings."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from components.nets.choices import Upsampling
from components.nets.modules.convolutions import conv, double
from components.nets.norms import Norm

Activation = Literal["prelu", "relu"]


class SRResNetBody(nn.Module):
    """Stem, blocks with a long skip around them, doublings, head; the settings are those of
    `generators.srresnet.SRResNet`.

    unit: the net turns its input into [0, 1] first. bounded: tanh behind the head.
    """

    def __init__(
        self,
        *,
        width: int,
        up_width: int,
        blocks: int,
        doublings: int,
        norm: Norm,
        activation: Activation,
        stem_activation: bool,
        upsampling: Upsampling,
        bias: bool,
        separable: bool,
        unit: bool,
        bounded: bool,
    ) -> None:
        super().__init__()
        self.unit, self.bounded = unit, bounded
        behind_stem = [_activation(activation)] if stem_activation else []
        self.stem = nn.Sequential(*conv(3, width, 9), *behind_stem)
        self.blocks = nn.Sequential(
            *(SmallBlock(width, norm, activation, bias=bias, separable=separable) for _ in range(blocks)),
            *_normed(width, norm, bias=bias, separable=separable),
        )
        ups: list[nn.Module] = []
        for index in range(doublings):
            channels = up_width if index else width
            ups += [
                *double(upsampling, channels, up_width, 3, separable=separable),
                _activation(activation),
            ]
        self.up = nn.Sequential(*ups)
        self.head = nn.Sequential(*conv(up_width, 3, 9))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 3, scale · H, scale · W)."""
        stem = self.stem((x_NCHW + 1) / 2 if self.unit else x_NCHW)
        y: Tensor = self.head(self.up(stem + self.blocks(stem)))
        return torch.tanh(y) if self.bounded else y


class SmallBlock(nn.Module):
    """x + norm(conv(activation(norm(conv(x))))), zero-padded (Ledig et al. 2017, fig. 4, after
    Gross & Wilber 2016).
    """

    def __init__(
        self, width: int, norm: Norm, activation: Activation, *, bias: bool, separable: bool
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_normed(width, norm, bias=bias, separable=separable),
            _activation(activation),
            *_normed(width, norm, bias=bias, separable=separable),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]


def _activation(kind: Activation) -> nn.Module:
    return nn.PReLU() if kind == "prelu" else nn.ReLU(inplace=True)


def _normed(width: int, norm: Norm, *, bias: bool, separable: bool) -> list[nn.Module]:
    """A 3×3 convolution between equal widths, normalised."""
    return [*conv(width, width, 3, bias=bias, separable=separable), *norm.layers(width)]
