"""Self-attention over the positions of a feature map: every place of the photo may look at every
other.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


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
