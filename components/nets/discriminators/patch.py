"""Discriminators that look at patches: PatchGAN in all its sizes, down to single px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.convolution_table import Convolution
from components.nets.discriminators.part import DiscriminatorPart

if TYPE_CHECKING:
    from torch import nn


class PatchGAN(DiscriminatorPart):
    """Looks at overlapping patches, one logit each (Isola et al. 2017, sec. 3.2.2). Three halving
    layers see 70×70 px.

    Official DeblurGAN: as it stands, 2,764,737 weights. Official pix2pix: conditional, norm batch,
    bias ends, 2,768,705.
    """

    kind: Literal["patchgan"] = "patchgan"
    layers: int = Field(
        3, ge=1, le=6, description="halving convolutions: 1 sees 16 px, 2: 34, 3: 70, 4: 142, 5: 286, 6: 574"
    )
    width: int = Field(64, ge=4, le=512, description="channels of the first layer; doubled up to eightfold")
    penultimate: bool = Field(
        True,
        description=(
            "a convolution of stride 1 before the one that gives the logits; without it three layers see"
            " 46 px"
        ),
    )

    def _table(self) -> tuple[Convolution, ...]:
        channels = [self.width * min(2**level, 8) for level in range(self.layers + 1)]
        inner = [Convolution(width, 4, 2) for width in channels[1 : self.layers]]
        behind = [Convolution(channels[-1], 4)] if self.penultimate else []
        return (
            Convolution(channels[0], 4, 2, normed=False),
            *inner,
            *behind,
            Convolution(1, 4, gives_logits=True),
        )

    def _net(self, channels: int) -> nn.Module:
        from components.nets.modules.discriminators import convolutions

        return convolutions(self._table(), channels, self.norm, self.bias, self.padding)


class TemporalPatchGAN(PatchGAN):
    """A PatchGAN that looks at a frame between the two that stand beside it in time: a frame that does
    not follow from them is told, whatever it looks like by itself.

    TecoGAN (Chu et al. 2020, sec. 3.1) shows three frames that were all restored, which needs
    train.target_frames of 3 or more and as many windows a step. Those of the input cost nothing.
    """

    kind: Literal["temporal_patchgan"] = "temporal_patchgan"  # type: ignore[assignment]
    # Not written where it is the input, so that earlier recipes keep their digest.
    neighbours: Literal["input", "restored"] = Field(
        "input",
        exclude_if=lambda of: of == "input",
        description="the two frames beside the one in the middle: the input's, or restored ones",
    )

    @property
    def beside(self) -> Literal["neighbours", "restored"]:
        """The frames before and after."""
        return "neighbours" if self.neighbours == "input" else "restored"

    @model_validator(mode="after")
    def _not_conditional_too(self) -> Self:
        if self.conditional:
            raise ValueError(
                "conditional is on, and a temporal_patchgan looks at neighbouring frames beside the photo"
                " anyway: leave it out, or take a patchgan"
            )
        return self


class Pixel(DiscriminatorPart):
    """Looks at every px by itself: colours, no structure (Isola et al. 2017, sec. 6.1.2, the 1×1
    discriminator).
    """

    kind: Literal["pixel"] = "pixel"
    width: int = Field(
        64, ge=4, le=512, description="channels of the first layer; the second has twice as many"
    )

    def _table(self) -> tuple[Convolution, ...]:
        return (
            Convolution(self.width, 1, normed=False),
            Convolution(2 * self.width, 1),
            Convolution(1, 1, gives_logits=True),
        )

    def _net(self, channels: int) -> nn.Module:
        from components.nets.modules.discriminators import convolutions

        return convolutions(self._table(), channels, self.norm, self.bias, self.padding)
