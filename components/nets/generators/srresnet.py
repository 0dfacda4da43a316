"""The super-resolution generator of SRGAN, the paper's and the TF2 guide's."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from components.nets.generators.part import GeneratorPart, weight_source
from components.nets.layers import Batch, First, Norm, begin, conv, double


class SRResNet(GeneratorPart):
    """Generator of SRGAN (Ledig et al. 2017, fig. 4): stem 9×9, blocks and a long skip at the small
    size, then doublings, head 9×9.

    All its strides are 1 and its kernels odd, so Keras' `same` padding is PyTorch's own.
    """

    kind: Literal["srresnet"] = "srresnet"
    width: int = Field(64, ge=4, le=512, description="channels at the small size")
    blocks: int = Field(16, ge=1, le=64, description="residual blocks")
    norm: Norm = Field(Batch(), description="normalisation in the blocks and behind them")
    activation: Literal["prelu", "relu"] = Field("prelu", description="prelu has one learned slope a layer")
    stem_activation: bool = Field(True, description="activation behind the stem; the guide has none")
    upsampling: Literal["pixel_shuffle", "nearest"] = Field(
        "pixel_shuffle", description="the paper's, or resize convolution (the guide)"
    )
    doublings: int = Field(2, ge=1, le=3, description="the output is 2**doublings times as large")
    up_width: int | None = Field(
        None,
        ge=4,
        le=1024,
        description=(
            "channels behind each doubling; null: as many as width. The guide has 256, which makes it 5.5"
            " times dearer"
        ),
    )
    head: Literal["tanh", "linear"] = Field("tanh", description="linear does not bound the output")
    input_range: Literal["signed", "unit"] = Field(
        "signed",
        description=(
            "unit: the net turns its input into [0, 1] first, as the paper gives it; the output stays in"
            " [-1, 1]"
        ),
    )
    first: First = Field("normal", description="first weights")
    bias: bool = Field(
        False, description="of the convolutions before a normalisation; all others always have it"
    )
    separable: bool = Field(
        False,
        description="all but stem and head as one convolution per channel and one over channels: a light net",
    )

    @property
    def scale(self) -> int:
        """Side of the output over side of the input."""
        return int(2**self.doublings)

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights."""
        net = SRResNetBody(self)
        begin(net, self.first, weight_source(seed))
        return net

    def act(self) -> nn.Module:
        """One activation layer."""
        return nn.PReLU() if self.activation == "prelu" else nn.ReLU(inplace=True)

    def normed(self) -> list[nn.Module]:
        """A 3×3 convolution between equal widths, normalised."""
        return [
            *conv(self.width, self.width, 3, bias=self.bias, separable=self.separable),
            *self.norm.layers(self.width),
        ]


class SRResNetBody(nn.Module):
    """Stem, blocks with a long skip around them, doublings, head."""

    def __init__(self, part: SRResNet) -> None:
        super().__init__()
        wide = part.up_width or part.width
        self.unit, self.bounded = part.input_range == "unit", part.head == "tanh"
        self.stem = nn.Sequential(*conv(3, part.width, 9), *([part.act()] if part.stem_activation else []))
        self.blocks = nn.Sequential(*(SmallBlock(part) for _ in range(part.blocks)), *part.normed())
        ups: list[nn.Module] = []
        for index in range(part.doublings):
            ups += [
                *double(part.upsampling, wide if index else part.width, wide, 3, separable=part.separable),
                part.act(),
            ]
        self.up = nn.Sequential(*ups)
        self.head = nn.Sequential(*conv(wide, 3, 9))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 3, scale · H, scale · W)."""
        stem = self.stem((x_NCHW + 1) / 2 if self.unit else x_NCHW)
        y: Tensor = self.head(self.up(stem + self.blocks(stem)))
        return torch.tanh(y) if self.bounded else y


class SmallBlock(nn.Module):
    """x + norm(conv(activation(norm(conv(x))))), zero-padded (Ledig et al. 2017, fig. 4, after
    Gross & Wilber 2016).
    """

    def __init__(self, part: SRResNet) -> None:
        super().__init__()
        self.body = nn.Sequential(*part.normed(), part.act(), *part.normed())

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]
