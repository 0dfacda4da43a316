"""torch's optimisers, made and stepped without torch's compiler, which theirs import for nothing: 1.4
processor seconds at the start of every training, and of each of its workers.

Their methods ask the compiler to leave them alone should somebody compile a training's whole loop. Nobody
does here: components/train/compiled.py compiles functions that hold no optimiser.
"""

from __future__ import annotations

from inspect import unwrap

import torch
from torch.optim import Optimizer


class _Unasked(Optimizer):
    """The same methods, without what asks. Where torch wraps them in something else, it stays."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))  # AdamW's too; its wrapper had no_grad in it


class Adam(_Unasked, torch.optim.Adam):
    """torch.optim.Adam, with its arguments."""


class AdamW(_Unasked, torch.optim.AdamW):
    """torch.optim.AdamW, with its arguments."""
