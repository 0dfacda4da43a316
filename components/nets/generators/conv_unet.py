"""The U-Net of 4×4 halvings: pix2pix' generator, its encoder-decoder without skips, and the
deblurring guide's small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.attention import Attention
from components.nets.choices import First, Head
from components.nets.generators.part import GeneratorPart
from components.nets.norms import Batch, Norm

if TYPE_CHECKING:
    from torch import nn


class ConvUNet(GeneratorPart):
    """The U-Net of pix2pix (Isola et al. 2017, sec. 6.1.1): one 4×4 convolution of stride 2 a
    level, and the same way back.

    The first level, the innermost one and the last doubling have no normalisation. Sides are even
    all the way down, where Keras' `same` padding of a 4×4 kernel of stride 2, there and back, is
    PyTorch's own; so there is no choice of padding.

    Slopes are those of the rectifier behind each part, 0 for a plain one. Official pix2pix: 0, 0,
    0. The TensorFlow guide to pix2pix joins the
    skip as the encoder rectified it: skip and bottleneck 0.2. The deblurring guide rectifies once
    more behind the join: decoder 0.2, skip 0.2² = 0.04, bottleneck 0.2.
    """

    kind: Literal["conv_unet"] = "conv_unet"
    width: int = Field(
        64,
        ge=4,
        le=512,
        description="channels behind the first halving; doubled at each further one up to `widest`",
    )
    depth: int = Field(8, ge=1, le=9, description="halvings; 8 reach one px from 256")
    widest: int = Field(512, ge=4, le=2048, description="most channels at any level")
    norm: Norm = Field(Batch(), description="normalisation of the inner levels")
    bottleneck_norm: bool = Field(
        False,
        description=(
            "also behind the innermost convolution; where that is one px of one photo, it makes it 0 (a fault"
            " of the pix2pix guide)"
        ),
    )
    skips: bool = Field(
        True,
        description=(
            "join each level's features to the way back; false: the encoder-decoder of pix2pix' comparison"
        ),
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="probability in the doublings named by dropout_ups; 0 leaves it out"
    )
    dropout_ups: tuple[int, ...] = Field(
        (1, 2, 3),
        description=(
            "doublings with dropout, the innermost is 1. Paper and its Lua code: 1, 2, 3; its PyTorch code:"
            " 2, 3, 4"
        ),
    )
    upsampling: Literal["transposed", "nearest", "bilinear"] = Field(
        "transposed", description="the paper's 4×4, or resize convolution against checkerboard"
    )
    bias: bool = Field(False, description="of all convolutions but the last, which always has it")
    encoder_slope: float = Field(0.2, ge=0, lt=1, description="on the way down")
    decoder_slope: float = Field(0.0, ge=0, lt=1, description="behind each doubling")
    skip_slope: float = Field(0.0, ge=0, lt=1, description="on a skip, all rectifiers it passes together")
    bottleneck_slope: float = Field(0.0, ge=0, lt=1, description="behind the innermost convolution")
    head: Head = Field(
        "direct", description="how the body's output z and the photo x are joined; direct is tanh z"
    )
    first: First = Field("normal", description="first weights")
    separable: bool = Field(
        False,
        description=(
            "all but the first and last convolution as one per channel and one over channels: a light net"
        ),
    )
    attention: Attention | None = Field(
        None, description="on the way down, before the level's features are joined to the way back"
    )

    @property
    def looks_over_photo(self) -> bool:
        """Whether some layer's answer depends on the whole photo when restoring."""
        return super().looks_over_photo or self.attention is not None

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(2**self.depth)

    @property
    def dropout_anywhere(self) -> float:
        """Probability in the doublings that have it."""
        return self.dropout if self.dropout_ups else 0.0

    @model_validator(mode="after")
    def _fits_its_depth(self) -> Self:
        if self.attention is not None and self.attention.level > self.depth:
            raise ValueError(
                f"attention.level {self.attention.level} is deeper than the net: its depth is {self.depth}"
            )
        inner = range(1, self.depth)
        if self.dropout > 0 and (
            len(set(self.dropout_ups)) < len(self.dropout_ups) or not set(self.dropout_ups) <= set(inner)
        ):
            there = f"1 to {self.depth - 1}" if inner else "none"
            raise ValueError(
                f"dropout_ups {list(self.dropout_ups)} must each name another doubling but the last; with"
                f" depth {self.depth} there are: {there}. Shorten it, or set dropout to 0"
            )
        if self.bottleneck_norm and self.norm.kind == "none":
            raise ValueError("bottleneck_norm is on, yet norm is none: leave it out, or choose a norm")
        if self.skip_slope > 0 and not self.skips:
            raise ValueError(
                f"skip_slope {self.skip_slope} has nothing to act on, since skips is false: leave it out"
            )
        return self

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights."""
        from components.nets.modules.conv_unet import ConvUNetBody, Slopes
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed

        body = ConvUNetBody(
            width=self.width,
            depth=self.depth,
            widest=self.widest,
            norm=self.norm,
            bottleneck_norm=self.bottleneck_norm,
            skips=self.skips,
            dropout=self.dropout,
            dropout_ups=self.dropout_ups,
            upsampling=self.upsampling,
            bias=self.bias,
            separable=self.separable,
            attention=self.attention,
            slopes=Slopes(self.encoder_slope, self.decoder_slope, self.skip_slope, self.bottleneck_slope),
        )
        draw_first_weights(body, self.first, generator_source(seed), slope=self.encoder_slope)
        return Headed(body, self.head)
