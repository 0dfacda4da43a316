"""What a net's flow is trained by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.nets.modules.video import AlignedBody
from components.train.losses.pixels import variation


def photometric_loss(generator: nn.Module, window: Tensor, epsilon: float, smoothness: float) -> Tensor:
    """The Charbonnier distance of moved neighbours from the middle frame, plus the flow's variation.

    generator: one whose body moves frames; window: (N, 3 T, H, W) in [-1, 1].
    """
    body = generator.get_submodule("body")
    assert isinstance(body, AlignedBody), f"{type(body).__name__} moves no frames; a rule of train says so"
    with torch.autocast(window.device.type, enabled=False):
        found = body.aligned(window.float())
        apart = ((found.moved - found.middle).square() + epsilon**2).sqrt().mean() - epsilon
        return apart + smoothness * variation(found.flow.flatten(0, 1))
