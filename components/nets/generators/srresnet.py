"""The super-resolution generator of SRGAN, the paper's and the TF2 guide's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.nets.choices import First
from components.nets.generators.part import GeneratorPart
from components.nets.norms import Batch, Norm

if TYPE_CHECKING:
    from torch import nn


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
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.srresnet import SRResNetBody

        net = SRResNetBody(
            width=self.width,
            up_width=self.up_width or self.width,
            blocks=self.blocks,
            doublings=self.doublings,
            norm=self.norm,
            activation=self.activation,
            stem_activation=self.stem_activation,
            upsampling=self.upsampling,
            bias=self.bias,
            separable=self.separable,
            unit=self.input_range == "unit",
            bounded=self.head == "tanh",
        )
        draw_first_weights(net, self.first, generator_source(seed))
        return net
