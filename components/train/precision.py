"""The precision that forward passes and losses are computed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["fp32", "bf16"]
Loss = Callable[[Tensor, Tensor], Tensor]


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context of a forward pass."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def in_float32(loss: Loss) -> Loss:
    """The loss in float32 also under bfloat16 autocast: differences of nearly equal sums drown in
    eight bits.
    """

    def precise(restored: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(restored.device.type, enabled=False):
            return loss(restored.float(), target.float())

    return precise
