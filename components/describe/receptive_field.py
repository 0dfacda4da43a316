"""How much of a photo one output value sees, measured: the input px that a gradient from it
reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from torch.overrides import TorchFunctionMode

from components.nets.modules.over_photo import OverPhoto
from components.nets.reach import looking

BOUNDS = (torch.tanh, torch.sigmoid, torch.clamp, Tensor.tanh, Tensor.sigmoid, Tensor.clamp)
NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Seen:
    """A receptive field. `cut`: it reaches the border of the strip it was measured on, so it may be
    larger.
    """

    px: int
    cut: bool

    def __str__(self) -> str:
        return f"≥ {self.px} px" if self.cut else f"{self.px} px"


def receptive_field(net: nn.Module, channels: int, height_px: int, width_px: int) -> Seen:
    """Width of what the value in the middle of the output depends on, in px of the input, on a
    strip height_px × width_px.

    net: on a processor; its weights are lost: all are made positive, so that no two ways through
    the net cancel out, and norms and what else looks over the whole photo are left out, as the
    literature does.
    """
    _make_plain(net.eval())
    net.double()
    strip = torch.ones((1, channels, height_px, width_px), dtype=torch.float64, requires_grad=True)
    with _Unbounded():
        out = net(strip).flatten(0, -3)[0]
    out[out.shape[0] // 2, out.shape[1] // 2].backward()
    assert strip.grad is not None
    reached = strip.grad[0].ne(0).any(dim=0).any(dim=0).nonzero()
    first, last = int(reached.min()), int(reached.max())
    return Seen(last - first + 1, first == 0 or last == width_px - 1)


def told_of_whole_photo(net: nn.Module) -> bool:
    """Whether a layer is told something of the whole photo, which no receptive field shows: attention, a
    kernel read off the photo. Norms are left out here, too.
    """
    return any(not isinstance(layer, NORMS) for layer in looking(net))


class _Unbounded(TorchFunctionMode):
    """Takes the bounds off: far out a tanh has no gradient left, and equal weights add up to far
    out.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return args[0] if func in BOUNDS else func(*args, **(kwargs or {}))


@torch.no_grad()
def _make_plain(net: nn.Module) -> None:
    for module in list(net.modules()):
        if is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                remove_parametrizations(module, name)
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, OverPhoto):
                setattr(module, name, child.looking_as_far())
            elif isinstance(child, NORMS):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):  # a maximum's gradient goes to one px of all it looked at
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(False)
        parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            module.register_forward_hook(_as_one)


def _as_one(module: nn.Module, args: tuple[Tensor, ...], result: Tensor) -> Tensor:
    """Behind each layer 1, with the gradient it has then: products and sums over many layers would leave
    the range of numbers.
    """
    return result / result.detach()
