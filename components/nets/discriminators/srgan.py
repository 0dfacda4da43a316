"""SRGAN's discriminator, with the paper's dense head or the guide's map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.choices import Bias
from components.nets.convolution_table import Convolution, sides_px, works
from components.nets.discriminators.part import DiscriminatorPart
from components.nets.norms import Batch, Norm

if TYPE_CHECKING:
    from torch import nn


class SRGANDiscriminator(DiscriminatorPart):
    """Eight 3×3 convolutions, every second one halving, as in VGG (Ledig et al. 2017, sec. 2.1.1
    and fig. 4).

    dense: the paper's head, for photos of crop_px alone; 23,563,649 weights at 96 px. map: the
    TensorFlow 2 guide's head, two 1×1 convolutions, one logit for 16×16 px; 5,215,425 weights with
    bias all.
    """

    kind: Literal["srgan"] = "srgan"
    norm: Norm = Field(
        default_factory=Batch, description="normalisation behind all of the eight but the first"
    )
    bias: Bias = Field(
        "ends",
        description=(
            "convolutions that have one: all; ends: those without a norm behind them; last: the one that"
            " gives the logits"
        ),
    )
    head: Literal["map", "dense"] = Field(
        "dense", description="the guide's map of logits, or the paper's one logit a photo"
    )
    norm_first: bool = Field(True, description="normalise before the rectifier (paper), or behind it (guide)")
    crop_px: int = Field(
        96,
        ge=16,
        le=2048,
        description="dense head: side of the photos it is shown, the training crop. The map takes any",
    )
    width: int = Field(
        64, ge=4, le=512, description="channels of the first two convolutions; doubled up to eightfold"
    )
    dense: int = Field(
        1024, ge=1, le=8192, description="dense head: values between the convolutions and the logit"
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.head == "dense" and (
            self.crop_px % self.shrink
            or not works(self._table(), self.crop_px // self.shrink, self.norm, self.padding)
        ):
            raise ValueError(
                f"crop_px {self.crop_px} must be a multiple of shrink ({self.shrink}) and large enough for"
                " four halvings: raise it"
            )
        return self

    @property
    def fixed_px(self) -> int | None:
        """The training crop with the dense head, None with the map."""
        return self.crop_px if self.head == "dense" else None

    @property
    def smallest_px(self) -> int:
        """The training crop with the dense head; with the map, the smallest photo that leaves a
        norm two values a channel.
        """
        return self.crop_px if self.head == "dense" else super().smallest_px

    @property
    def receptive_field_px(self) -> int | None:
        """None (everything) with the dense head; 61 px a logit with the map."""
        return None if self.head == "dense" else super().receptive_field_px

    def _table(self) -> tuple[Convolution, ...]:
        eight = [
            Convolution(self.width * times, 3, stride, normed=(times, stride) != (1, 1))
            for times in (1, 2, 4, 8)
            for stride in (1, 2)
        ]
        return (
            (*eight, Convolution(16 * self.width, 1, normed=False), Convolution(1, 1, gives_logits=True))
            if self.head == "map"
            else tuple(eight)
        )

    def _net(self, channels: int) -> nn.Module:
        from torch import nn

        from components.nets.modules.discriminators import SLOPE, DenseHead, convolutions

        found = convolutions(
            self._table(), channels, self.norm, self.bias, self.padding, norm_first=self.norm_first
        )
        if self.head == "map":
            return found
        side_px = self.crop_px // self.shrink
        values = 8 * self.width * sides_px(self._table(), side_px, self.padding)[-1] ** 2
        dense = nn.Sequential(
            nn.Linear(values, self.dense), nn.LeakyReLU(SLOPE, inplace=True), nn.Linear(self.dense, 1)
        )
        return DenseHead(found, dense, side_px)
