"""Where a training's functions are compiled, and how a slope is taken that a compiler can follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import Tensor

from components.nets.modules.convolution_gradients import DifferentiableAgain

BACKEND = "inductor"
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function, *, wanted: bool) -> Function:
    """The function, or what torch.compile makes of it: once for each shape and each kind of argument."""
    if not wanted:
        return function
    return cast(Function, torch.compile(function, backend=BACKEND))


def slope(score: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """∇ score at a point, of the point's shape, with its graph. score: to a scalar.

    torch.compile follows no second backward pass through a compiled function, but one through a gradient
    that is taken inside it as a function.
    """
    if torch.compiler.is_compiling():
        found: Tensor = torch.func.grad(score)(at)
        return found
    at = at.detach().requires_grad_()
    with DifferentiableAgain():
        scored = score(at)
    (found,) = torch.autograd.grad(scored, at, create_graph=True)
    return found
