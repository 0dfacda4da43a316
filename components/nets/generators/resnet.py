"""The residual generator of DeblurGAN, the paper's and the Keras guide's."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from components.nets.attention import Attention
from components.nets.generators.part import GeneratorPart, Head, Headed, weight_source
from components.nets.layers import First, Instance, Norm, Padding, begin, conv, double


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
        w = self.width
        body = nn.Sequential(
            *conv(3, w, 7, padding="reflect", bias=self.bias),
            *self.norm.layers(w),
            nn.ReLU(inplace=True),
            *self._halve(w),
            *self._halve(2 * w),
            *(ResidualBlock(self, 4 * w) for _ in range(self.blocks)),
            *([self.attention.layer(4 * w)] if self.attention else []),
            *self._double(4 * w),
            *self._double(2 * w),
            *conv(w, 3, 7, padding="reflect"),
        )
        begin(body, self.first, weight_source(seed))
        return Headed(body, self.head)

    def _halve(self, channels: int) -> list[nn.Module]:
        layers = conv(
            channels,
            2 * channels,
            3,
            stride=2,
            padding=self.padding,
            bias=self.bias,
            separable=self.separable,
        )
        return [*layers, *self.norm.layers(2 * channels), nn.ReLU(inplace=True)]

    def _double(self, channels: int) -> list[nn.Module]:
        layers = double(
            self.upsampling,
            channels,
            channels // 2,
            3,
            padding=self.padding,
            bias=self.bias,
            separable=self.separable,
        )
        return [*layers, *self.norm.layers(channels // 2), nn.ReLU(inplace=True)]


class ResidualBlock(nn.Module):
    """x + conv(dropout(relu(conv(x)))), both convolutions 3×3 behind reflection padding (Johnson et
    al. 2016).
    """

    def __init__(self, part: ResNet, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *self._conv(part, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(part.dropout)] if part.dropout > 0 else []),
            *self._conv(part, channels),
        )

    @staticmethod
    def _conv(part: ResNet, channels: int) -> list[nn.Module]:
        return [
            *conv(channels, channels, 3, padding="reflect", bias=part.bias, separable=part.separable),
            *part.norm.layers(channels),
        ]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]
