"""torch's optimisers, made and stepped without torch's compiler, and without a copy of each gradient.

The compiler theirs import for nothing: 1.4 processor seconds at the start of every training, and of each of
its workers. Their methods ask it to leave them alone should somebody compile a training's whole loop. Nobody
does here: components/train/compiled.py compiles functions that hold no optimiser.

Their kernel for a processor goes through weights, gradients and moments as each lies in memory. Where the
orders differ it would move each weight by another's gradient, without a word; and a gradient in channels_last
it first copies, order and all. So it is given all of them as one row, in the order of the weight.
"""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class _Unasked(Optimizer):
    """The same methods, without what asks. Where torch wraps them in something else, it stays."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))  # AdamW's too; its wrapper had no_grad in it

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, in whatever order of memory its moments were kept."""
        _load(self, state_dict)
        for weight, remembered in self.state.items():
            for name, value in remembered.items():
                if value.shape == weight.shape:
                    remembered[name] = _laid_as(weight, value)

    def _init_group(self, group: dict[str, Any], weights: list[Tensor], *beside: list[Tensor]) -> bool:
        """What torch's step fills its lists by: weights, their gradients, two moments, a third for amsgrad,
        and numbers of steps.
        """
        found: bool = super()._init_group(group, weights, *beside)  # type: ignore[misc]
        gradients, *moments, _ = beside
        for place, weight in enumerate(weights):
            if weight.device.type != "cpu":
                continue
            gradients[place] = _laid_as(weight, gradients[place])
            if not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last):
                for values in (weights, gradients, *filter(None, moments)):
                    values[place] = values[place].as_strided((weight.numel(),), (1,))
        return found


_load = unwrap(Optimizer.load_state_dict)


def _laid_as(weight: Tensor, value: Tensor) -> Tensor:
    """A value of each number of a weight, in the order of the weight's memory."""
    return value if value.stride() == weight.stride() else torch.empty_like(weight).copy_(value)


class Adam(_Unasked, torch.optim.Adam):
    """torch.optim.Adam, with its arguments."""


class AdamW(_Unasked, torch.optim.AdamW):
    """torch.optim.AdamW, with its arguments."""
