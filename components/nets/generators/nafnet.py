"""NAFNet: a U-Net of blocks without a nonlinear activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.generators.part import GeneratorPart
from components.nets.norms import LayerNorm, Norm

if TYPE_CHECKING:
    from torch import nn


class NAFNet(GeneratorPart):
    """NAFNet (Chen, Chu, Zhang & Sun 2022, "Simple Baselines for Image Restoration", fig. 2 and 3): gates
    in the place of activations, layer normalisation, simplified channel attention, skips by addition.

    The authors' GoPro net: width 32 or 64, encoder [1, 1, 1, 28], middle 1, decoder [1, 1, 1, 1], fold 1;
    17.1 and 67.9 million weights. Blocks and the last layer begin at zero here too, so that an untrained
    net leaves the photo as it is.
    """

    kind: Literal["nafnet"] = "nafnet"
    width: int = Field(32, ge=4, le=512, description="channels at full size; doubled at each halving")
    encoder: tuple[int, ...] = Field(
        (1, 1, 1, 28), min_length=1, max_length=6, description="blocks before each halving"
    )
    middle: int = Field(1, ge=0, le=64, description="blocks at the smallest size")
    decoder: tuple[int, ...] = Field((1, 1, 1, 1), description="blocks behind each doubling")
    fold: Literal[1, 2, 4] = Field(
        1,
        description=(
            "work on blocks of so many px a side as channels: the square of it less work, a view as much"
            " wider"
        ),
    )
    norm: Norm = Field(LayerNorm(), description="normalisation before each half of a block")
    channel_attention: bool = Field(
        True,
        description=(
            "weigh channels by their means over the photo; means over a whole photo are not those over crops"
            " (Chu et al. 2022)"
        ),
    )

    @property
    def looks_over_photo(self) -> bool:
        """Whether some layer's answer depends on the whole photo when restoring."""
        return super().looks_over_photo or self.channel_attention

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return int(self.fold * 2 ** len(self.encoder))

    @model_validator(mode="after")
    def _as_many_doublings_as_halvings(self) -> Self:
        if len(self.decoder) != len(self.encoder):
            raise ValueError(
                f"decoder {list(self.decoder)} must have as many entries as encoder {list(self.encoder)}, one"
                " for each doubling"
            )
        if min(*self.encoder, *self.decoder) < 0:
            raise ValueError("encoder and decoder count blocks: none of their entries may be below 0")
        return self

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights; what it adds to the photo begins at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.heads import Headed
        from components.nets.modules.nafnet import NAFNetBody

        body = NAFNetBody(
            width=self.width,
            encoder=self.encoder,
            middle=self.middle,
            decoder=self.decoder,
            fold=self.fold,
            norm=self.norm,
            channel_attention=self.channel_attention,
        )
        # No rectifier halves the signal: slope 1.
        draw_first_weights(body, "he", generator_source(seed), slope=1.0)
        body.begin_at_zero()
        return Headed(body, "added_residual")
