"""The discriminator that ends in dense layers: one logit a photo, for one size of photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.choices import First, Padding
from components.nets.convolution_table import Convolution, field_px, sides_px, works
from components.nets.discriminators.part import DiscriminatorPart
from components.nets.norms import Batch, Norm

if TYPE_CHECKING:
    from torch import nn


class PatchDense(DiscriminatorPart):
    """The discriminator of DeblurGAN's Keras port: four halvings, a map of logits, and dense layers
    over that map.

    With `sigmoid` the result lies in 0..1, so that it is no Wasserstein critic; official DeblurGAN
    has a PatchGAN and no sigmoid. 3,096,450 weights at 256 px; a value of the map sees 142 px.
    Source: RaphaelMeudec/deblur-gan, deblurgan/model.py.
    """

    kind: Literal["patch_dense"] = "patch_dense"
    norm: Norm = Field(
        default_factory=lambda: Batch(epsilon=1e-3, momentum=0.01),
        description="behind the inner convolutions; Keras' batch norm",
    )
    padding: Padding = Field("keras", description="equal border on all sides, or Keras' `same`")
    first: First = Field("glorot", description="how the weights begin; glorot is Keras' own")
    crop_px: int = Field(
        256,
        ge=16,
        le=2048,
        description="side of the photos it is shown, the training crop: it takes no other",
    )
    layers: int = Field(3, ge=1, le=6, description="halving convolutions behind the first, which halves too")
    width: int = Field(
        64, ge=4, le=512, description="channels of the first two layers; then doubled, up to eightfold"
    )
    dense: int = Field(
        1024, ge=1, le=8192, description="values between the map and the output, behind a tanh"
    )
    map_sigmoid: bool = Field(False, description="squeeze the map into 0..1 before the dense layers")
    sigmoid: bool = Field(
        True, description="squeeze the output into 0..1, as the port does; false gives a logit"
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop_px % self.shrink or not works(
            self._table(), self.crop_px // self.shrink, self.norm, self.padding
        ):
            raise ValueError(
                f"crop_px {self.crop_px} must be a multiple of shrink ({self.shrink}) and large enough for"
                f" {self.layers + 1} halvings: raise it"
            )
        return self

    @property
    def bounded(self) -> bool:
        """With `sigmoid`."""
        return self.sigmoid

    @property
    def fixed_px(self) -> int | None:
        """The training crop: the dense layers take no other."""
        return self.crop_px

    @property
    def smallest_px(self) -> int:
        """The training crop."""
        return self.crop_px

    @property
    def receptive_field_px(self) -> int | None:
        """Everything."""
        return None

    @property
    def map_field_px(self) -> int:
        """Side of the patch that one value of the map sees, in px of the photo it is shown."""
        return self.shrink * field_px(self._table())

    def _table(self) -> tuple[Convolution, ...]:
        channels = [self.width * min(2**level, 8) for level in range(self.layers + 1)]
        # The port's loop begins at 2**0, so there is one halving more than in the official code.
        halvings = [Convolution(width, 4, 2) for width in channels[: self.layers]]
        return (
            Convolution(self.width, 4, 2, normed=False),
            *halvings,
            Convolution(channels[-1], 4),
            Convolution(1, 4, gives_logits=True),
        )

    def _net(self, channels: int) -> nn.Module:
        from torch import nn

        from components.nets.modules.discriminators import DenseHead, convolutions

        side_px = self.crop_px // self.shrink
        found = convolutions(self._table(), channels, self.norm, self.bias, self.padding)
        values = sides_px(self._table(), side_px, self.padding)[-1] ** 2
        dense = nn.Sequential(
            *([nn.Sigmoid()] if self.map_sigmoid else []),
            nn.Linear(values, self.dense),
            nn.Tanh(),
            nn.Linear(self.dense, 1),
            *([nn.Sigmoid()] if self.sigmoid else []),
        )
        return DenseHead(found, dense, side_px)
