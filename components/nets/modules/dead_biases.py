"""Biases without effect: what stands behind them takes them away again."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from components.nets.modules.convolutions import KerasCrop


def dead_biases(net: nn.Module) -> list[Tensor]:
    """Those of convolutions that stand in a sequence in front of a normalisation over each channel."""
    found = []
    for sequence in net.modules():
        if isinstance(sequence, nn.Sequential):
            layers = [layer for layer in sequence if not isinstance(layer, KerasCrop)]
            for layer, behind in itertools.pairwise(layers):
                if (
                    isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
                    and isinstance(behind, _NormBase)
                    and layer.bias is not None
                ):
                    found.append(layer.bias)
    return found


def last_bias(net: nn.Module) -> list[Tensor]:
    """That of a discriminator's last layer, which adds the same to all its logits. A loss of differences
    alone takes it away.
    """
    *_, last = (layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    return [] if last.bias is None else [last.bias]
