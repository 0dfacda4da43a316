"""Where a generator has self-attention, as a recipe may name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    from components.nets.modules.attention import SelfAttention


class Attention(Part):
    """Where attention stands in a generator, and its size (Vaswani et al. 2017, sec. 3.2; on photos
    Zhang et al. 2019, "SAGAN").

    Its work grows with the square of the number of positions: two halvings deeper cost 256 times
    less.
    """

    level: int = Field(ge=1, le=9, description="halvings above it: 4 is a sixteenth of the photo's side")
    heads: int = Field(4, ge=1, le=64)
    key_channels: int = Field(
        64, ge=1, le=512, description="channels of each head's queries, keys and values; the guide's key_dim"
    )

    def layer(self, channels: int) -> SelfAttention:
        """The layer, for a map of so many channels."""
        from components.nets.modules.attention import SelfAttention

        return SelfAttention(channels, self.heads, self.key_channels)
