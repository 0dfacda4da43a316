"""Dropout drawn as bits: the law, the seed, the memory's order, and biases that normalisations undo."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from components.nets.generators import ConvUNet, Mobile, ResNet, SRResNet, UNet
from components.nets.modules.dead_biases import dead_biases
from components.nets.modules.dropout import BitDropout, kept
from components.nets.modules.norms import PhotoNorm2d, mixes_photos


@pytest.mark.parametrize("p", [0.5, 0.25, 0.0625, 0.1, 0.9])
def test_each_value_is_dropped_with_its_probability_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    count = 1_000_000
    dropped = 1 - kept(count, p, torch.device("cpu")).float().mean().item()
    assert dropped == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)
    x = torch.ones(4, 8, 16, 16)
    out = BitDropout(p)(x)
    assert out.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])


@pytest.mark.parametrize("p", [0.5, 0.25, 0.1])
def test_neighbours_and_draws_are_independent(p: float) -> None:
    torch.manual_seed(1)
    one, two = (kept(700_000, p, torch.device("cpu")).float() - (1 - p) for _ in range(2))
    for other in (two, one.roll(1), one.roll(8), one.roll(56), one.roll(64)):
        assert abs((one * other).mean().item()) < 5 * p * (1 - p) / 700_000**0.5


def test_the_mask_is_that_of_the_seed_whatever_the_memorys_order_and_precision() -> None:
    x, drop = torch.rand(2, 8, 16, 16) + 1, BitDropout(0.5)
    found = []
    for made in (x, x.contiguous(memory_format=torch.channels_last), x.bfloat16()):
        torch.manual_seed(7)
        out = drop(made)
        assert out.dtype == made.dtype
        assert out.stride() == made.stride()
        found.append(out != 0)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(drop(x) != 0, found[0])


def test_what_is_dropped_hands_no_gradient_back_and_evaluation_drops_nothing() -> None:
    x, drop = torch.ones(1, 4, 8, 8, requires_grad=True), BitDropout(0.5)
    out = drop(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())
    assert drop.eval()(x) is x


@pytest.mark.parametrize("photos", [1, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm_gives_the_same_in_both_memory_orders_and_keeps_them(photos: int, affine: bool) -> None:
    torch.manual_seed(2)
    norm = PhotoNorm2d(5, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = (torch.randn(photos, 5, 9, 7) * 3 + 2).requires_grad_()
    last = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    ours, theirs = norm(last), norm(x)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    weights = torch.randn_like(x)
    for out in (ours, theirs):
        (out * weights).square().sum().backward()
    torch.testing.assert_close(last.grad, x.grad, atol=1e-3, rtol=1e-3)


def test_dead_biases_change_no_output_and_the_others_do() -> None:
    nets = [
        ResNet(width=4, blocks=1).build(0),
        ResNet(width=4, blocks=1, norm={"kind": "batch"}, padding="keras").build(0),
        ConvUNet(width=4, depth=3, bias=True, dropout_ups=(1,)).build(0),
        UNet(width=4, depth=1, norm="instance").build(0),
        SRResNet(width=4, blocks=1).build(0),
        Mobile().build(0),
    ]
    for net in nets:
        x = torch.rand(2, 3, 32, 32) * 2 - 1
        net.train()
        for layer in net.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
            elif isinstance(layer, nn.Conv2d):  # also a head that begins at zero
                nn.init.normal_(layer.weight, 0.0, 0.2)
        before = net(x)
        dead = {id(bias) for bias in dead_biases(net)}
        for name, weight in net.named_parameters():
            if name.endswith("bias") and weight.dim() == 1:
                with torch.no_grad():
                    weight.add_(0.5)
                changed = (net(x) - before).abs().max().item()
                with torch.no_grad():
                    weight.sub_(0.5)
                assert (changed < 1e-4) == (id(weight) in dead), name


def test_batch_normalisation_alone_mixes_photos() -> None:
    assert mixes_photos(ResNet(width=4, blocks=1, norm={"kind": "batch"}).build(0))
    assert not mixes_photos(ResNet(width=4, blocks=1).build(0))
