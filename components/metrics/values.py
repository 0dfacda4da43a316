"""What metrics say of one photo, computed on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.core.images import to_float
from components.core.levels import Pixels
from components.metrics import METRICS
from components.metrics.of_set import Function

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def photo_on(device: str | torch.device, photo: Pixels) -> Tensor:
    """A photo (H, W, 3), uint8 or uint16, as metrics want it: (1, 3, H, W) floats in [0, 1] there."""
    import torch

    return torch.from_numpy(to_float(photo)).to(device).permute(2, 0, 1)[None].contiguous()


def values_of(x_NCHW: Tensor, target_NCHW: Tensor, functions: Mapping[str, Function]) -> dict[str, float]:
    """Each metric of one photo beside its target, both as `photo_on` gives them, as it is stored."""
    return {
        name: METRICS[name].stored(function(x_NCHW, target_NCHW).item())
        for name, function in functions.items()
    }
