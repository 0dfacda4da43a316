"""Self-attention over the positions of a feature map: every place of the photo may look at every
other.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.parts import Part


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
        return SelfAttention(channels, self.heads, self.key_channels)


class SelfAttention(nn.Module):
    """x + what each position gathers from all others.

    The positions lie in one row, so that the score is one matrix a head; torch's
    scaled_dot_product_attention never holds that matrix whole where it has a fused kernel.
    """

    def __init__(self, channels: int, heads: int, key_channels: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(channels, 3 * heads * key_channels)
        self.answer = nn.Linear(heads * key_channels, channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        positions_NPC = x_NCHW.flatten(2).transpose(1, 2)
        query, key, value = self.ask(positions_NPC).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        gathered = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        answer: Tensor = self.answer(gathered)
        return x_NCHW + answer.transpose(1, 2).reshape(x_NCHW.shape)
