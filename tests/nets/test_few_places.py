"""Convolutions over few places are torch's own to rounding, both ways and twice, only where they learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from components.nets.modules import few_places
from components.train.config import TrainConfig
from components.train.step import GanStep
from components.train.worker_group import World

DOUBLE = torch.float64
ORDERS = pytest.mark.parametrize(
    "order", [torch.contiguous_format, torch.channels_last], ids=["plane by plane", "px by px"]
)
LAYERS: dict[str, tuple[type[nn.Module], type[nn.Module], dict[str, Any]]] = {
    "4×4 to half": (few_places.Conv2d, nn.Conv2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "3×3": (few_places.Conv2d, nn.Conv2d, {"kernel_size": 3, "padding": 1}),
    "Keras' own border": (few_places.Conv2d, nn.Conv2d, {"kernel_size": (3, 2), "stride": (2, 1)}),
    "without bias": (few_places.Conv2d, nn.Conv2d, {"kernel_size": 4, "padding": 1, "bias": False}),
    "4×4 to double": (
        few_places.ConvTranspose2d,
        nn.ConvTranspose2d,
        {"kernel_size": 4, "stride": 2, "padding": 1},
    ),
    "3×3 to double": (
        few_places.ConvTranspose2d,
        nn.ConvTranspose2d,
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    ),
    "Keras' to double": (
        few_places.ConvTranspose2d,
        nn.ConvTranspose2d,
        {"kernel_size": 3, "stride": 2, "bias": False},
    ),
}


@pytest.fixture
def any_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small layers go by the product too, in float64 as well."""
    for most in (few_places.MOST_PLACES, few_places.MOST_PLACES_TRANSPOSED):
        for precision in (DOUBLE, torch.bfloat16, torch.float32):
            monkeypatch.setitem(most, precision, 10_000)


class Seen(TorchDispatchMode):
    """The names of the operations that are done."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func.overloadpacket).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


def by_product(layer: nn.Module, x_NCHW: Tensor) -> bool:
    with Seen() as seen:
        layer(x_NCHW)
    assert bool({"im2col", "col2im"} & seen.names) != ("convolution" in seen.names)
    return "convolution" not in seen.names


def pair(name: str, channels: int = 3, out: int = 5) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(3)
    ours, plain, settings = LAYERS[name]
    both = ours(channels, out, **settings), plain(channels, out, **settings)
    both[1].load_state_dict(both[0].state_dict())
    return both


def slopes(layer: nn.Module, x_NCHW: Tensor) -> list[Tensor]:
    """What it makes, the gradients of it, and those of the length of the input's gradient."""
    at = x_NCHW.clone().requires_grad_()
    made = layer(at)
    weights = list(layer.parameters())
    first = torch.autograd.grad((made * made.detach().cos()).sum(), [at, *weights], create_graph=True)
    again = torch.autograd.grad(first[0].square().sum(), weights[0])
    return [made, *first, *again]


@pytest.mark.usefixtures("any_weights")
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("photos", [1, 3])
@ORDERS
def test_they_are_torchs_own_with_their_first_and_second_gradients(
    name: str, photos: int, order: torch.memory_format
) -> None:
    ours, plain = (layer.to(DOUBLE, memory_format=order) for layer in pair(name))  # type: ignore[call-overload]
    x_NCHW = torch.randn(photos, 3, 5, 8, dtype=DOUBLE)
    assert by_product(ours, x_NCHW)
    assert not by_product(plain, x_NCHW)
    for got, wanted in zip(slopes(ours, x_NCHW), slopes(plain, x_NCHW), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("any_weights")
@pytest.mark.parametrize("name", ["4×4 to half", "4×4 to double"])
@pytest.mark.parametrize("side", [2, 4, 16])  # all in float32, the weights' gradient, nothing
@ORDERS
def test_in_bfloat16_they_are_no_farther_from_the_truth_than_twice_torchs_own(
    name: str, side: int, order: torch.memory_format
) -> None:
    ours, plain = (layer.to(memory_format=order) for layer in pair(name, 64, 32))  # type: ignore[call-overload]
    x_NCHW = torch.randn(1, 64, side, side)
    truth = slopes(plain.to(DOUBLE), x_NCHW.double())
    found = []
    for layer in (ours, plain.float()):
        with torch.autocast("cpu", torch.bfloat16):
            at = x_NCHW.clone().requires_grad_()
            made = layer(at)
            assert made.dtype == torch.bfloat16
        weights = list(layer.parameters())
        first = torch.autograd.grad((made.float() * truth[0].detach().cos().float()).sum(), [at, *weights])
        assert [one.dtype for one in first] == [torch.float32] * len(first)
        assert first[1].stride() == layer.weight.stride()  # or it would be copied into that order
        found.append([made.float(), *first])
    for got, torchs, wanted in zip(*found, truth[: len(found[0])], strict=True):
        errors = [(each.double() - wanted).norm() for each in (got, torchs)]
        assert errors[0] < 2 * errors[1]
        assert errors[0] < 0.02 * wanted.norm()


def many_weights(kind: type[nn.Module] = nn.ConvTranspose2d) -> nn.Module:
    return learning(kind(256, 256, 4, stride=2, padding=1))


def learning(layer: nn.Module) -> nn.Module:
    """The layer as a net in training has it."""
    net = nn.Sequential(layer)
    few_places.learn_by_products(net)
    return net[0]


def turned(layer: nn.Module) -> nn.Module:
    layer.weight = nn.Parameter(layer.weight.detach().mT.contiguous().mT)
    return layer


def test_few_places_and_many_weights_go_by_the_product() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert by_product(many_weights(), torch.randn(1, 256, 4, 4))
        assert by_product(many_weights(nn.Conv2d), torch.randn(1, 256, 8, 8))
        assert not by_product(many_weights(), torch.randn(1, 256, 17, 17)), "many places"
        few_weights = learning(nn.ConvTranspose2d(64, 64, 4))
        assert not by_product(few_weights, torch.randn(1, 64, 4, 4)), "few weights"


def test_a_step_learns_by_products_and_its_average_is_torchs_layers() -> None:
    # 1.05 M weights in the deepest layers, on crops of 32 px.
    config = TrainConfig.model_validate(
        {
            "generator": {
                "kind": "conv_unet",
                "width": 64,
                "depth": 4,
                "widest": 256,
                "upsampling": "transposed",
            },
            "content": [{"kind": "l1"}],
            "precision": "bf16",
            "discriminators": [{"kind": "patchgan", "layers": 3, "width": 64, "norm": "none"}],
            "adversarial": {"kind": "least_squares"},
            "phases": [{"name": "joint", "images": 4, "crop_px": 32, "batch": 1}],
        }
    )
    step = GanStep(config, World.alone(torch.device("cpu")), {})
    by_class = {type(layer) for layer in step.average.modules()} & set(few_places.BY_PRODUCT.values())
    assert not by_class
    photos = torch.rand(1, 3, 32, 32) * 2 - 1
    with Seen() as seen:
        step([(photos, photos)], config.phases[0], 0, 1.0)
    assert {"im2col", "col2im"} <= seen.names


PLAIN: dict[str, Callable[[], nn.Module]] = {
    "frozen": lambda: many_weights().requires_grad_(False),
    "each plane from right to left": lambda: turned(many_weights()),
    "grouped": lambda: learning(nn.Conv2d(256, 2048, 4, groups=2, padding=2)),
    "reflected": lambda: learning(nn.Conv2d(256, 512, 3, padding=1, padding_mode="reflect")),
    "wide apart": lambda: learning(nn.Conv2d(256, 512, 3, padding=2, dilation=2)),
}


@pytest.mark.parametrize("why", PLAIN)
def test_what_the_product_cannot_do_or_would_not_gain_by_is_torchs(why: str) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert not by_product(PLAIN[why](), torch.randn(1, 256, 2, 2))


def test_a_net_that_restores_has_torchs_own_bits() -> None:
    layer, plain = many_weights(), nn.ConvTranspose2d(256, 256, 4, stride=2, padding=1)
    plain.load_state_dict(layer.state_dict())
    x_NCHW = torch.randn(1, 256, 2, 2)
    with torch.no_grad():
        assert torch.equal(layer(x_NCHW), plain(x_NCHW))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(layer(x_NCHW), plain(x_NCHW))


@pytest.mark.usefixtures("any_weights")
@pytest.mark.parametrize("name", ["4×4 to half", "4×4 to double"])
def test_the_order_of_memory_that_came_goes_on(name: str) -> None:
    layer = pair(name)[0]
    x_NCHW = torch.randn(2, 3, 6, 6)
    assert layer(x_NCHW).is_contiguous()
    last = layer(x_NCHW.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
