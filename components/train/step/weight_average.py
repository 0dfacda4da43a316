"""The averaged generator: the one that is validated and kept."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST_PARTS = 4096  # of a mean; a smaller part of the way to float32 weights is lost in their rounding


class LastSteps(NamedTuple):
    """Where a step stands in a training's last share. number: from 1; total: of its steps."""

    number: int
    total: int


def last_steps(phase_share: float, images: int, length: int, batch: int) -> LastSteps | None:
    """Where the step that ends at so many images of a phase stands in the phase's last share; None before
    that.

    >>> [last_steps(0.5, images, 8, 2) for images in (4, 6, 8)]
    [None, LastSteps(number=1, total=2), LastSteps(number=2, total=2)]
    """
    total = max(1, round(phase_share * length / batch))
    number = total - (length - images) // batch
    return LastSteps(number, total) if phase_share and number > 0 else None


class WeightAverage:
    """An average of a net's weights over the steps: exponential, and at last a plain mean where that is
    wanted.
    """

    def __init__(self, net: nn.Module, decay: float, *, plain_mean: bool = True) -> None:
        """decay: of the exponential average per step; 0 keeps the last weights. plain_mean: one may be
        wanted at last.
        """
        self._net = copy.deepcopy(net).requires_grad_(False).eval()
        self._decay = decay
        self._of, self._kept, self._present = net, _values(self._net), _values(net)
        # The last weights alone: copied when somebody asks for them, not after every step.
        self._waits = not (decay or plain_mean)
        self._behind: list[Tensor] = []

    @property
    def net(self) -> nn.Module:
        """The averaged net. Read it anew after a step."""
        if self._behind:
            with torch.no_grad():
                torch._foreach_copy_(self._kept, self._behind)
            self._behind = []
        return self._net

    @torch.no_grad()
    def update(self, present: nn.Module, steps_done: int, last: LastSteps | None = None) -> None:
        """Move a little toward the present net; faster at first, so that the start does not linger.

        last: the step belongs to the plain mean (stochastic weight averaging, Izmailov et al. 2018, alg.
        1, after every step). The exponential average at its beginning counts in it for as many steps as it
        had in mind, 1 / (1 - decay): the average that is validated makes no leap there.
        """
        part = 1.0 - self._decay_after(steps_done)
        if last is not None:
            together = max(1, last.total // MOST_PARTS)  # steps of which the last one speaks for all
            if last.number % together:
                return
            part = together / (1.0 / (1.0 - self._decay_after(steps_done - last.number)) + last.number)
        toward = self._present if present is self._of else _values(present)
        if self._waits:
            assert last is None, "a plain mean was not to be expected"
            self._behind = toward
            return
        torch._foreach_lerp_(self._kept, toward, part)

    def _decay_after(self, steps_done: int) -> float:
        return min(self._decay, (1 + steps_done) / (10 + steps_done)) if self._decay else 0.0


def _values(net: nn.Module) -> list[Tensor]:
    # Running statistics are averaged too: they must belong to the averaged weights.
    return [*net.parameters(), *(buffer for buffer in net.buffers() if buffer.is_floating_point())]
