"""The small U-Net of the demo: cheap, and untrained it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.nets.generators.part import GeneratorPart
from components.nets.norms import NoNorm, Norm

if TYPE_CHECKING:
    from torch import nn

    from components.nets.modules.unet import UNetBody


class UNet(GeneratorPart):
    """Small U-Net (Ronneberger et al. 2015) that adds its output to the photo; untrained it changes
    nothing.
    """

    kind: Literal["unet"] = "unet"
    width: int = Field(
        32, ge=4, le=512, description="channels at full size; doubled at each level up to `widest`"
    )
    depth: int = Field(3, ge=1, le=7, description="halvings")
    widest: int = Field(256, ge=4, le=2048, description="most channels at any level")
    fold: Literal[1, 2, 4] = Field(
        1,
        description=(
            "work on blocks of so many px a side as channels: the square of it less work, a view as much"
            " wider"
        ),
    )
    norm: Norm = Field(
        NoNorm(), description="normalisation behind each convolution; none keeps brightness as it is"
    )
    global_context: bool = Field(
        False,
        description=(
            "let every place of a level know what the level holds all over the photo (global context, Cao et"
            " al. 2019): a camera's shake blurs all of a photo alike"
        ),
    )

    @property
    def looks_over_photo(self) -> bool:
        """Whether some layer's answer depends on the whole photo when restoring."""
        return super().looks_over_photo or self.global_context

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(self.fold * 2**self.depth)

    def body(self, channels_in: int = 3) -> UNetBody:
        """The U-Net itself, its weights yet to be drawn."""
        from components.nets.modules.unet import UNetBody

        return UNetBody(
            width=self.width,
            depth=self.depth,
            widest=self.widest,
            fold=self.fold,
            norm=self.norm,
            channels_in=channels_in,
            global_context=self.global_context,
        )

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head begins at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed
        from components.nets.modules.unet import SLOPE

        body = self.body()
        draw_first_weights(body, "he", generator_source(seed), slope=SLOPE)
        body.begin_at_zero()
        return Headed(body, "added_residual")
