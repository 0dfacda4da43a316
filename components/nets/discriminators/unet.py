"""A discriminator that is itself a U-Net: one logit a px, with all of the photo in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.nets.convolution_table import Convolution
from components.nets.discriminators.part import DiscriminatorPart
from components.nets.norms import NoNorm, Norm

if TYPE_CHECKING:
    from torch import nn


class UNetDiscriminator(DiscriminatorPart):
    """U-Net with spectral norm of Real-ESRGAN (Wang et al. 2021, sec. 3.3; after Schönfeld et al. 2020):
    three halvings, three bilinear doublings, skips by addition; a logit for each px.

    Width 64 as published: 4,376,897 weights. Its spectral norm is on unless switched off.
    """

    kind: Literal["unet"] = "unet"
    width: int = Field(
        64, ge=4, le=512, description="channels at full size; doubled at each of the three halvings"
    )
    spectral_norm: bool = Field(
        True, description="divide every weight by its largest singular value (Miyato et al. 2018)"
    )
    norm: Norm = Field(default_factory=NoNorm, description="none: the spectral norm takes its place")

    @property
    def smallest_px(self) -> int:
        """Three halvings leave one px of 8."""
        return 8 * self.shrink

    def _table(self) -> tuple[Convolution, ...]:
        """The way down; the way back sees no further but for what doubling spreads."""
        return (
            Convolution(self.width, 3, normed=False),
            *(Convolution(self.width * times, 4, 2) for times in (2, 4, 8)),
        )

    def _net(self, channels: int) -> nn.Module:
        from components.nets.modules.unet_discriminator import UNetDiscriminatorBody

        return UNetDiscriminatorBody(channels, self.width, self.norm)
