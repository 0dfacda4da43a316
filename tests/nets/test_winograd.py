"""Convolutions by tiles of answers: torch's own to rounding, where they are faster, and nowhere else."""

from __future__ import annotations

import copy
import platform
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from components.core.seeds import stream
from components.nets.generators import ResNet
from components.nets.modules import few_places, tiled_convolutions, winograd
from components.nets.modules.features import Features
from components.nets.modules.tiled_convolutions import Conv2d, LearningConv2d, fewer_products
from components.nets.restore import Restorer

ALLOWED = 5e-6  # root mean square over that of the value
LAYERS: dict[str, dict[str, Any]] = {
    "a border of zeros": {"padding": 1},
    "none": {"padding": 0},
    "uneven borders": {"padding": (2, 0)},
    "reflected": {"padding": 1, "padding_mode": "reflect"},
    "without bias": {"padding": 1, "bias": False},
    "4×4": {"kernel_size": 4, "padding": 1},
    "4×4, uneven borders": {"kernel_size": 4, "padding": (0, 2), "bias": False},
}
LAYERS = {kind: {"kernel_size": 3} | more for kind, more in LAYERS.items()}
SHAPES = {"whole tiles": (1, 24, 24), "cut tiles": (2, 17, 23), "several parts": (3, 40, 33)}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """As if it paid for every layer on any processor, in parts of a few tiles; gives what went by tiles."""
    went: list[tuple[int, ...]] = []
    true = winograd.by_tiles

    def noted(x_NCHW: Tensor, *more: Any) -> Tensor:
        went.append(tuple(x_NCHW.shape))
        return true(x_NCHW, *more)

    monkeypatch.setattr(winograd, "by_tiles", noted)
    monkeypatch.setattr(winograd, "pays", lambda: True)
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", {3: 1, 4: 1})
    monkeypatch.setattr(winograd, "LEAST_PLACES", 1)
    monkeypatch.setattr(winograd, "AT_ONCE", 20)
    monkeypatch.setattr(winograd, "AT_ONCE_FOR_WEIGHTS", 30)
    return went


def far(ours: Tensor, truth: Tensor) -> float:
    return ((ours.double() - truth).square().mean() / truth.square().mean()).sqrt().item()


def there_and_back(layer: nn.Conv2d, x_NCHW: Tensor) -> list[Tensor]:
    at = x_NCHW.detach().requires_grad_()
    made = layer(at)
    torch.autograd.backward(
        made, torch.randn(made.shape, generator=torch.Generator().manual_seed(1)).to(made)
    )
    return [made.detach(), *(each.grad for each in (at, *layer.parameters()) if each.grad is not None)]


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=["last", "planes"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", LAYERS)
def test_answers_and_gradients_are_torchs_to_rounding(
    kind: str, shape: str, order: torch.memory_format, everywhere: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(3)
    plain = nn.Conv2d(8, 6, **LAYERS[kind])
    truth, tiled = copy.deepcopy(plain).double(), nn.Sequential(copy.deepcopy(plain))
    fewer_products(tiled)
    count, height, width = SHAPES[shape]
    x_NCHW = torch.randn(count, 8, height, width).contiguous(memory_format=order)
    exact = there_and_back(truth, x_NCHW.double())
    assert not everywhere
    ours = there_and_back(tiled[0], x_NCHW)  # type: ignore[arg-type]
    assert len(everywhere) == 2, "the answers and the gradient of the input"
    assert len(ours) == len(exact) == 3 + LAYERS[kind].get("bias", True)
    for one, other in zip(ours, exact, strict=True):
        assert one.shape == other.shape
        assert far(one, other) < ALLOWED


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_what_follows_may_write_over_the_answers(
    shape: str, bias: bool, everywhere: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(5)
    plain = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=bias), nn.ReLU(inplace=True))
    tiled, (count, height, width) = copy.deepcopy(plain), SHAPES[shape]
    fewer_products(tiled)
    x_NCHW, found = torch.randn(count, 4, height, width, requires_grad=True), []
    for net in (tiled, plain):
        made = net(x_NCHW)
        assert not made._is_view()
        found.append(torch.autograd.grad(made.square().sum(), [x_NCHW, *net.parameters()]))
    assert len(everywhere) == 2
    assert not any(each._is_view() for each in found[0])
    for ours, wanted in zip(*found, strict=True):
        assert far(ours, wanted.double()) < ALLOWED


def test_half_precision_goes_torchs_way(everywhere: list[tuple[int, ...]]) -> None:
    layer, x_NCHW = Conv2d(8, 8, 3), torch.randn(1, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x_NCHW).dtype == torch.bfloat16
    assert not everywhere


def test_frozen_weights_pass_the_gradient_on_and_take_none(everywhere: list[tuple[int, ...]]) -> None:
    layer = Conv2d(8, 8, 3, padding=1).requires_grad_(False)
    x_NCHW = torch.randn(1, 8, 12, 12, requires_grad=True)
    (found,) = torch.autograd.grad(layer(x_NCHW).square().sum(), x_NCHW)
    (wanted,) = torch.autograd.grad(
        nn.Conv2d._conv_forward(layer, x_NCHW, layer.weight, layer.bias).square().sum(), x_NCHW
    )
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        assert not layer(x_NCHW).requires_grad


@pytest.mark.parametrize("kind", LAYERS)
def test_a_gradient_of_a_gradient_goes_by_tiles_too(kind: str, everywhere: list[tuple[int, ...]]) -> None:
    torch.manual_seed(4)
    plain = nn.Conv2d(4, 4, **LAYERS[kind]).double()
    tiled = nn.Sequential(copy.deepcopy(plain).float())
    fewer_products(tiled)
    x_NCHW, found = torch.randn(1, 4, 12, 12), []
    for net in (tiled, plain):
        at = x_NCHW.to(next(net.parameters()).dtype).requires_grad_()
        (slope,) = torch.autograd.grad(net(at).tanh().sum(), at, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), [at, *net.parameters()]))
    assert len(everywhere) == 4, "there, back, there again for the slope's gradient, and back"
    for ours, wanted in zip(*found, strict=True):
        assert far(ours, wanted) < ALLOWED


def test_what_may_gain_takes_another_class_and_keeps_its_weights() -> None:
    net = nn.ModuleDict(
        {
            "wide": nn.Conv2d(128, 128, 3, padding=1),
            "learns by products": nn.Conv2d(512, 512, 3, padding=1),
            "narrow": nn.Conv2d(64, 128, 3, padding=1),
            "strided": nn.Conv2d(128, 128, 3, stride=2),
            "4×4": nn.Conv2d(256, 512, 4),
            "5×5": nn.Conv2d(128, 128, 5),
            "apart": nn.Conv2d(128, 128, 3, groups=128),
            "dilated": nn.Conv2d(128, 128, 3, dilation=2),
            "in words": nn.Conv2d(128, 128, 3, padding="same"),
            "transposed": nn.ConvTranspose2d(128, 128, 3),
        }
    )
    before = {name: (tensor, tensor.clone()) for name, tensor in net.state_dict().items()}
    few_places.learn_by_products(net)
    fewer_products(net)
    ours = tiled_convolutions.__name__
    changed = {name: type(layer) for name, layer in net.items() if type(layer).__module__ == ours}
    assert changed == {"wide": Conv2d, "learns by products": LearningConv2d, "4×4": LearningConv2d}
    after = net.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], kept) for name, (_, kept) in before.items())


def test_it_pays_where_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for machine, able in (("x86_64", {"avx2": True}), ("x86_64", {}), ("aarch64", {"avx2": False})):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        winograd.pays.cache_clear()
        found.append(winograd.pays())
    winograd.pays.cache_clear()
    assert found == [True, False, False]


def test_few_channels_or_places_and_other_precisions_go_torchs_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", lambda: True)
    wide, shown = torch.empty(128, 128, 3, 3), (1, 128, 32, 32)
    assert winograd.gains(shown, wide, torch.float32)
    assert not winograd.gains(shown, wide, torch.bfloat16)
    assert not winograd.gains(shown, wide, torch.float64)
    assert not winograd.gains(shown, torch.empty(64, 128, 3, 3), torch.float32)
    assert not winograd.gains(shown, torch.empty(512, 512, 5, 5), torch.float32)
    assert not winograd.gains(shown, torch.empty(512, 512, 3, 4), torch.float32)
    assert not winograd.gains((1, 128, 31, 32), wide, torch.float32)
    assert not winograd.gains(shown, wide.to("meta"), torch.float32)
    assert not winograd.gains(shown, wide, torch.float32, plain=False)


def test_an_exporter_sees_torchs_convolution(everywhere: list[tuple[int, ...]]) -> None:
    layer = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
    fewer_products(layer)
    program = torch.export.export(layer, (torch.randn(1, 8, 16, 16),))
    assert [str(node.target) for node in program.graph.nodes if node.op == "call_function"] == [
        "aten.conv2d.default"
    ]
    assert not everywhere


def test_a_photo_in_tiles_is_restored_as_the_whole(everywhere: list[tuple[int, ...]]) -> None:
    part = ResNet(width=8, blocks=2)
    photo = stream("winograd").random((264, 272, 3)).astype(np.float32)
    whole, tiled, plain = (
        Restorer(part.build(seed=1), part, device="cpu", tile_px=tile_px) for tile_px in (1024, 256, 1024)
    )
    ours = whole.restore(photo)
    assert everywhere
    for layer in plain.net.modules():
        if isinstance(layer, Conv2d):
            layer.__class__ = nn.Conv2d
    np.testing.assert_allclose(tiled.restore(photo), ours, atol=2e-5)
    np.testing.assert_allclose(plain.restore(photo), ours, atol=2e-5)


def test_a_perceptual_loss_goes_by_tiles() -> None:
    kinds = [type(layer) for layer in Features("vgg19", "conv3_3", imagenet=False).layers]
    assert kinds.count(Conv2d) == 4, "128 to 128, 128 to 256, and twice 256 to 256"
