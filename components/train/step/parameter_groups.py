"""A net's weights in the groups that an optimiser treats alike, and the learning rate of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from components.nets.modules.dead_biases import dead_biases

CEILING = "lr_ceiling"  # of a group; kept in the optimiser's state


def parameter_groups(
    nets: Sequence[nn.Module],
    *,
    spectral_step: float | None,
    weight_decay: float = 0.0,
    without_effect: Sequence[Tensor] = (),
) -> list[dict[str, Any]]:
    """Groups by ceiling of the learning rate and by weight decay, in the nets' own order.

    Adam moves every weight by up to the learning rate, however little its layer counts. Where all move
    together, a step adds lr · √(number of weights) to the layer's spectral norm: at 1e-3 half of 2 to
    one of 192 × 192 × 3 × 3. A few such steps in ten layers behind each other, and what they make is
    thousands of times as large; a normalisation would take it back. Hence rates that fall with width,
    as in μP (Yang et al. 2022, "Tensor Programs V", table 3; Yang et al. 2023, "A spectral condition
    for feature learning").

    Biases that a normalisation takes away again, or the loss (without_effect), are in no group, and their
    gradient is 0: it would be rounding alone, on which Adam would walk by the whole learning rate a step.
    """
    resting = {id(bias) for bias in without_effect}
    groups: dict[tuple[float | None, float], list[nn.Parameter]] = {}
    for net in nets:
        normed = any(isinstance(layer, _NormBase | nn.LayerNorm | nn.GroupNorm) for layer in net.modules())
        resting |= {id(bias) for bias in dead_biases(net)}
        for weight in net.parameters():
            if id(weight) in resting:
                weight.register_post_accumulate_grad_hook(_forget)  # type: ignore[no-untyped-call]
                continue
            wide = weight.dim() > 1
            ceiling = (
                None if spectral_step is None or normed or not wide else spectral_step / weight.numel() ** 0.5
            )
            groups.setdefault((ceiling, weight_decay if wide else 0.0), []).append(weight)
    return [
        {"params": weights, CEILING: ceiling, "weight_decay": decay}
        for (ceiling, decay), weights in groups.items()
    ]


def _forget(weight: Tensor) -> None:
    if weight.grad is not None:
        weight.grad.zero_()


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of every group, no higher than its ceiling."""
    for group in optimizer.param_groups:
        ceiling = group[CEILING]
        group["lr"] = learning_rate if ceiling is None else min(learning_rate, ceiling)
