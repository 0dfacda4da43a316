"""The residual generator of DeblurGAN, the paper's and the Keras guide's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.attention import Attention
from components.nets.choices import First, Head, Padding
from components.nets.generators.part import GeneratorPart
from components.nets.norms import Instance, Norm

if TYPE_CHECKING:
    from torch import nn


class ResNet(GeneratorPart):
    """Residual generator of DeblurGAN (Kupyn et al. 2018, fig. 3; after Johnson et al. 2016): stem
    7×7, two halvings, blocks, two doublings, head 7×7.
    """

    kind: Literal["resnet"] = "resnet"
    width: int = Field(64, ge=4, le=512, description="channels after the stem; doubled at each halving")
    blocks: int = Field(9, ge=1, le=32, description="residual blocks at a quarter of the size")
    norm: Norm = Field(Instance(), description="normalisation behind each inner convolution")
    dropout: float = Field(0.5, ge=0, lt=1, description="probability inside each block; 0 leaves it out")
    upsampling: Literal["transposed", "nearest", "bilinear"] = Field(
        "transposed", description="the paper's, or resize convolution against checkerboard"
    )
    head: Head = Field(
        "clamped_residual",
        description=(
            "how the body's output z and the photo x are joined; the seeds' blends are (2 tanh z + x) / 3 and"
            " (tanh z + x) / 2"
        ),
    )
    padding: Padding = Field(
        "torch",
        description="of the halvings and the transposed convolutions: keras puts the odd px right and below",
    )
    first: First = Field("normal", description="first weights")
    bias: bool = Field(
        True, description="of the convolutions before a normalisation; the last one always has it"
    )
    separable: bool = Field(
        False, description="inner convolutions as one per channel and one over channels: a light net"
    )
    attention: Attention | None = Field(None, description="behind the blocks, two halvings deep")

    @property
    def looks_over_photo(self) -> bool:
        """Whether some layer's answer depends on the whole photo when restoring."""
        return super().looks_over_photo or self.attention is not None

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return 4

    @property
    def smallest_px(self) -> int:
        """Least height and width of the input, in px: the blocks reflect a border of 1 px, for
        which they need 2.
        """
        return 8

    @property
    def dropout_anywhere(self) -> float:
        """Probability in each block."""
        return self.dropout

    @model_validator(mode="after")
    def _attention_is_behind_the_blocks(self) -> Self:
        if self.attention is not None and self.attention.level != 2:
            raise ValueError(
                f"attention.level of a resnet must be 2, where its blocks are, got {self.attention.level}"
            )
        return self

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed
        from components.nets.modules.resnet import resnet_body

        body = resnet_body(
            width=self.width,
            blocks=self.blocks,
            norm=self.norm,
            dropout=self.dropout,
            upsampling=self.upsampling,
            padding=self.padding,
            bias=self.bias,
            separable=self.separable,
            attention=self.attention,
        )
        draw_first_weights(body, self.first, generator_source(seed))
        return Headed(body, self.head)
