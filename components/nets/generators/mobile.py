"""The generator for phones: few multiplications, and only operators that phones' runtimes have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.nets.choices import Skips
from components.nets.generators.part import GeneratorPart
from components.nets.norms import NoNorm

if TYPE_CHECKING:
    from torch import nn


class Mobile(GeneratorPart):
    """Inverted residuals (Sandler et al. 2018, MobileNetV2) on folded pixels, added to the photo;
    untrained it changes nothing. The defaults take 4.4 GMAC for a photo of 1280 × 720 px.
    """

    kind: Literal["mobile"] = "mobile"
    fold: Literal[1, 2, 4] = Field(
        4, description="work on blocks of so many px a side as channels; what makes most of the speed"
    )
    width: int = Field(32, ge=4, le=512, description="channels of the first level; doubled at each")
    widest: int = Field(128, ge=4, le=2048, description="most channels at any level")
    blocks: tuple[int, ...] = Field(
        (1, 2, 4), min_length=1, max_length=6, description="blocks of each level, from the first down"
    )
    expand: int = Field(2, ge=1, le=8, description="how much wider a block is inside")
    dense: bool = Field(
        False, description="3×3 convolutions over all channels: more multiplications, which NPUs do faster"
    )
    skips: Skips = Field("add", description="how levels are joined; on some NPUs concatenation is faster")
    norm: NoNorm = Field(NoNorm(), description="none: nothing to fold, and 8 bits are safe")

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(self.fold * 2 ** (len(self.blocks) - 1))

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the head begins at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed
        from components.nets.modules.mobile import MobileBody

        body = MobileBody(
            fold=self.fold,
            width=self.width,
            blocks=self.blocks,
            widest=self.widest,
            expand=self.expand,
            dense=self.dense,
            skips=self.skips,
        )
        draw_first_weights(body, "he", generator_source(seed))
        body.begin_at_zero()
        return Headed(body, "added_residual")
