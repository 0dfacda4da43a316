"""A convolution's gradient has the gradient that torch's own has, without its kernels as large as the map."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from components.nets.discriminators import PatchGAN
from components.nets.modules.convolution_gradients import DifferentiableAgain, conv2d
from components.train import compiled
from components.train.compiled import slope

KINDS: dict[str, dict[str, Any]] = {
    "3×3": {"kernel_size": 3},
    "4×4 to half, a border": {"kernel_size": 4, "stride": 2, "padding": 1},
    "unequal sides": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    "wide apart": {"kernel_size": 3, "dilation": 2, "padding": 2},
    "grouped": {"kernel_size": 3, "groups": 2, "padding": 1},
    "without bias": {"kernel_size": 3, "bias": False},
    "a remainder that no kernel reaches": {"kernel_size": 3, "stride": 3},
    "a border in words": {"kernel_size": 3, "padding": "same"},
    "reflected": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
}


def layer(kind: str, channels: int = 4) -> nn.Conv2d:
    torch.manual_seed(3)
    made: nn.Conv2d = nn.Conv2d(channels, 6, **KINDS[kind]).double()
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_derivative_up_to_the_third_is_torchs(kind: str) -> None:
    net, x = layer(kind), torch.rand(2, 4, 9, 8, dtype=torch.float64)
    wanted, found = (derivatives(net, x, mode) for mode in (nullcontext, DifferentiableAgain))
    assert len(wanted) > 6
    for one, other in zip(wanted, found, strict=True):
        torch.testing.assert_close(one, other)


def derivatives(net: nn.Conv2d, x: Tensor, mode: Callable[[], Any]) -> list[Tensor]:
    """What is made of x, its first, second and third derivatives by x and by all weights."""
    x, weights = x.clone().requires_grad_(), list(net.parameters())
    with mode():
        out = net(x)
    found, score = [out], out.sigmoid().square().sum()
    for _ in range(3):
        by = torch.autograd.grad(score, (x, *weights), create_graph=True)
        found += by
        score = torch.stack([each.sin().sum() for each in by]).sum()
    return [each.detach() for each in found]


def test_torch_itself_agrees_with_finite_differences() -> None:
    x, weight, bias = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((1, 2, 5, 5), (3, 2, 3, 3), (3,))
    )
    assert torch.autograd.gradgradcheck(lambda *all: conv2d(*all, 2, 1), (x, weight, bias), fast_mode=True)  # type: ignore[no-untyped-call]


class Shapes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The kernels of all convolutions forward, and how many gradients of weights were taken."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: set[tuple[int, ...]] = set()
        self.of_weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.kernels.add(tuple(args[1].shape[2:]))
        elif func is torch.ops.aten.convolution_backward.default:
            self.of_weights += args[-1][1]
        return func(*args, **(kwargs or {}))


def test_a_slope_takes_no_gradient_of_weights() -> None:
    critic = PatchGAN(width=4, layers=2, norm="instance").build(0, 0)  # type: ignore[arg-type]
    with Shapes() as seen:
        slope(lambda shown: critic(shown).flatten(1).mean(1).sum(), torch.rand(1, 3, 32, 32))
    assert not seen.of_weights


@pytest.mark.parametrize("asked", ["input", "weight", "bias", "all"])
def test_what_is_asked_for_by_name_is_given(asked: str) -> None:
    net, x = layer("3×3"), torch.rand(1, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    every = {"input": x, "weight": net.weight, "bias": net.bias}
    names = list(every) if asked == "all" else [asked]
    found, wanted = (
        torch.autograd.grad(made(net, x), [every[name] for name in names])  # type: ignore[arg-type]
        for made in (made_again, lambda net, x: net(x).square().sum())
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def made_again(net: nn.Module, x: Tensor) -> Tensor:
    with DifferentiableAgain():
        out: Tensor = net(x)
    return out.square().sum()


def penalised(critic: nn.Module) -> Shapes:
    """What a gradient penalty takes."""
    photo = torch.rand(1, 3, 32, 32)
    with Shapes() as seen:
        found = slope(lambda shown: critic(shown).float().flatten(1).mean(1).sum(), photo)
        found.square().sum().backward()  # type: ignore[no-untyped-call]
    return seen


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_penalty_takes_no_kernel_as_large_as_a_map(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    critic = PatchGAN(width=4, layers=2, norm="instance").build(0, 0)  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        seen = penalised(critic)
        assert seen.kernels == {(4, 4)}
        assert seen.of_weights >= 4, "one a layer at least"
        gradients = [weight.grad for weight in critic.parameters()]
        assert all(each is not None and each.isfinite().all() and each.any() for each in gradients[:1])
        monkeypatch.setattr(compiled, "DifferentiableAgain", nullcontext)
        assert max(penalised(critic).kernels) > (4, 4), "torch's own way: this test can fail"


def test_under_autocast_it_works_in_its_precision() -> None:
    net, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        wanted = net(x)
        with DifferentiableAgain():
            found = net(x)
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, wanted)


def test_the_order_of_memory_stays() -> None:
    net, last = nn.Conv2d(8, 8, 3), torch.channels_last
    net = net.to(memory_format=last)  # type: ignore[call-overload]
    x = torch.rand(2, 8, 9, 9).contiguous(memory_format=last).requires_grad_()
    with DifferentiableAgain():
        out = net(x)
    (by_x,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    assert out.is_contiguous(memory_format=last)
    assert by_x.is_contiguous(memory_format=last)
