"""The averaged generator: the one that is validated and kept."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential average of a net's weights over the steps."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        """decay: of the average per step; 0 keeps the last weights."""
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        self._decay = decay
        self._of, self._kept, self._present = net, _values(self.net), _values(net)

    @torch.no_grad()
    def update(self, present: nn.Module, steps_done: int) -> None:
        """Move a little toward the present net; faster at first, so that the start does not linger."""
        decay = min(self._decay, (1 + steps_done) / (10 + steps_done)) if self._decay else 0.0
        toward = self._present if present is self._of else _values(present)
        torch._foreach_lerp_(self._kept, toward, 1.0 - decay)


def _values(net: nn.Module) -> list[Tensor]:
    # Running statistics are averaged too: they must belong to the averaged weights.
    return [*net.parameters(), *(buffer for buffer in net.buffers() if buffer.is_floating_point())]
