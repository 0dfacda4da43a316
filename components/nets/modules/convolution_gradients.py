"""A convolution whose gradient can be differentiated again at the price of another convolution.

For ⟨g, w ∗ x⟩, linear in each of the three, a pass forward and the two gradients are what stays when one is
left out: the derivatives of each are the other two. torch knows that for the first derivative alone. The
weights' gradient in a second pass backward, which every gradient penalty takes, it finds as a convolution
of one channel with a kernel as large as the map (`_convolution_double_backward` in
ATen/native/Convolution.cpp): `benchmarks/train_step.py --without` says what that costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from components.nets.modules import winograd


class Geometry(NamedTuple):
    """How a kernel goes over a map, each down and across."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int

    @property
    def plain(self) -> bool:
        """Neither strided nor dilated nor in groups, and a border that the kernel reaches over."""
        return {*self.stride, *self.dilation, self.groups} == {1} and max(self.padding) <= 2


class DifferentiableAgain(TorchFunctionMode):
    """Within it every torch.conv2d, a layer's too, is one whose gradient has a cheap gradient. Values are
    torch's own, gradients to rounding.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What torch asks a mode before each of its functions."""
        return (conv2d if func is torch.conv2d else func)(*args, **(kwargs or {}))


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: str | int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor:
    """As torch.conv2d: (N, C, H, W) to (N, C', H', W'), under autocast in its precision."""
    if isinstance(padding, str) or input.dim() != 4:
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    if torch.is_autocast_enabled(input.device.type):
        precision = torch.get_autocast_dtype(input.device.type)
        input, weight = input.to(precision), weight.to(precision)
        bias = None if bias is None else bias.to(precision)
    geometry = Geometry(_pair(stride), _pair(padding), _pair(dilation), groups)
    found: Tensor = _Convolution.apply(input, weight, bias, geometry)
    return found


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))


def _lowered(g: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, *, of_weight: bool) -> Tensor:
    """⟨g, weight ∗ x⟩ by x, or by the weight; of the other of both only shape and order count."""
    stride, padding, dilation, groups = geometry
    if winograd.gains(x.shape, weight, g.dtype, geometry.plain):
        if of_weight:
            return winograd.by_weight(x, g, weight.shape[-1], padding)
        around = [weight.shape[-1] - 1 - zeros for zeros in padding]
        return winograd.by_tiles(g, weight.flip(2, 3).transpose(0, 1), None, around)
    found = torch.ops.aten.convolution_backward(
        *(g, x, weight, None, stride, padding, dilation, False, [0, 0], groups),
        [not of_weight, of_weight, False],
    )
    gradient: Tensor = found[1 if of_weight else 0]
    return gradient


class _OfThree(Function):
    """One of the three; what it is made of is its first two inputs and, at last, the geometry."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        first, second, _, ctx.geometry = inputs
        ctx.save_for_backward(first, second)


class _Convolution(_OfThree):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        stride, padding, dilation, groups = geometry
        if winograd.gains(x.shape, weight, x.dtype, geometry.plain):
            return winograd.by_tiles(x, weight, bias, padding)
        return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0, 0], groups)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias, _ = ctx.needs_input_grad
        return (
            _ByInput.apply(g, weight, x.detach(), ctx.geometry) if by_x else None,
            _ByWeight.apply(g, x, weight.detach(), ctx.geometry) if by_weight and _wanted(ctx, 1) else None,
            g.sum((0, 2, 3)) if by_bias and _wanted(ctx, 2) else None,
            None,
        )


def _wanted(ctx: Any, place: int) -> bool:
    """Whether this pass backward goes on behind an input. A slope is taken by the photo alone, and torch
    tells a function written in Python only what could be asked of it.
    """
    node, _ = ctx.next_functions[place]
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except RuntimeError:  # asked for by name, or no engine is at work
        return True


class _ByInput(_OfThree):
    """⟨g, weight ∗ x⟩ by x; `like` has x's shape and order."""

    @staticmethod
    def forward(g: Tensor, weight: Tensor, like: Tensor, geometry: Geometry) -> Tensor:
        return _lowered(g, like, weight, geometry, of_weight=False)

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> tuple[Tensor | None, ...]:
        g, weight = ctx.saved_tensors
        by_g, by_weight, *_ = ctx.needs_input_grad
        return (
            _Convolution.apply(x, weight, None, ctx.geometry) if by_g else None,
            _ByWeight.apply(g, x, weight.detach(), ctx.geometry) if by_weight else None,
            None,
            None,
        )


class _ByWeight(_OfThree):
    """⟨g, weight ∗ x⟩ by the weight; `like` has its shape and order."""

    @staticmethod
    def forward(g: Tensor, x: Tensor, like: Tensor, geometry: Geometry) -> Tensor:
        return _lowered(g, x, like, geometry, of_weight=True)

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:
        g, x = ctx.saved_tensors
        by_g, by_x, *_ = ctx.needs_input_grad
        return (
            _Convolution.apply(x, weight, None, ctx.geometry) if by_g else None,
            _ByInput.apply(g, weight, x.detach(), ctx.geometry) if by_x else None,
            None,
            None,
        )
