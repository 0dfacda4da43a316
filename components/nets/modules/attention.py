"""Self-attention over the positions of a feature map: every place of the photo may look at every
other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.over_photo import OverPhoto


class SelfAttention(OverPhoto):
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
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        return self._gathered(x_NCHW, *self._asked(x_NCHW))

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """Keys and values of a tile's own positions."""
        return self._asked(own_NCHW)[1:]

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Keys and values of all positions; their order means nothing."""
        keys, values = zip(*parts, strict=True)
        return torch.cat(keys, 2), torch.cat(values, 2)

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """A tile's positions look at all of the photo."""
        return self._gathered(x_NCHW, self._asked(x_NCHW)[0], *known)

    def _asked(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (N, heads, positions, key channels)."""
        positions_NPC = x_NCHW.flatten(2).transpose(1, 2)
        query, key, value = self.ask(positions_NPC).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query, key, value

    def _gathered(self, x_NCHW: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        gathered = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        answer: Tensor = self.answer(gathered)
        return x_NCHW + answer.transpose(1, 2).reshape(x_NCHW.shape)
