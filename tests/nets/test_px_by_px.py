"""Borders and folded px in the order of memory that comes: torch's own to the bit, and on a GPU, which is not
there (fake_gpu.py), as many operations.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from fake_gpu import GPU, fake_gpu
from torch import Tensor, nn
from torch.nn import functional as F
from watched_operations import LAST, order_of

from components.nets.modules.px_by_px import (
    PixelShuffle,
    ReflectionPad2d,
    keep_order,
    pixel_shuffle,
    pixel_unshuffle,
    reflected_px,
    shuffled_px,
    unshuffled_px,
    with_reflected_border,
)

Change = Callable[[Tensor], Tensor]
BORDER = (1, 2, 3, 0)
# What torch has, what stands for it where a photo lies px by px on a GPU, the way in.
KINDS: dict[str, tuple[Change, Change, Change]] = {
    "border": (
        lambda x: F.pad(x, BORDER, mode="reflect"),
        lambda x: reflected_px(x, BORDER),
        lambda x: with_reflected_border(x, BORDER),
    ),
    "fold": (
        lambda x: F.pixel_unshuffle(x, 2),
        lambda x: unshuffled_px(x, 2),
        lambda x: pixel_unshuffle(x, 2),
    ),
    "unfold": (lambda x: F.pixel_shuffle(x, 2), lambda x: shuffled_px(x, 2), lambda x: pixel_shuffle(x, 2)),
}
LAYERS: dict[str, tuple[nn.Module, nn.Module]] = {
    "border": (nn.ReflectionPad2d(2), ReflectionPad2d(2)),
    "unfold": (nn.PixelShuffle(2), PixelShuffle(2)),
}


def photos(layout: torch.memory_format, kind: torch.dtype = torch.float32) -> Tensor:
    source = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 6, 10, generator=source).to(kind).contiguous(memory_format=layout)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", KINDS)
def test_it_is_torchs_to_the_bit_and_lies_as_it_came(name: str, kind: torch.dtype) -> None:
    theirs, ours, _ = KINDS[name]
    one, other = (photos(LAST, kind).requires_grad_() for _ in range(2))
    wanted, found = theirs(one), ours(other)
    assert torch.equal(found, wanted)
    assert order_of(found) == "last"
    for made, x in ((wanted, one), (found, other)):
        (made.float() * torch.arange(made.numel()).view_as(made)).sum().backward()
        assert x.grad is not None
    assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("layout", [LAST, torch.contiguous_format], ids=["last", "first"])
@pytest.mark.parametrize("name", KINDS)
def test_a_processor_has_torchs_own(name: str, layout: torch.memory_format) -> None:
    theirs, _, way_in = KINDS[name]
    x = photos(layout)
    assert torch.equal(way_in(x), theirs(x))
    assert way_in(x).stride() == theirs(x).stride()


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_torchs_with_its_weights_and_its_name(name: str) -> None:
    theirs, ours = LAYERS[name]
    ours.load_state_dict(theirs.state_dict())
    assert isinstance(ours, type(theirs))
    assert type(ours).__name__ == type(theirs).__name__
    assert torch.equal(ours(photos(LAST)), theirs(photos(LAST)))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_convolution_with_a_reflected_border_is_torchs_but_on_a_gpu(device: str) -> None:
    net = nn.Sequential(nn.Conv2d(8, 3, (3, 5), 2, (1, 2), padding_mode="reflect"), nn.Conv2d(3, 3, 1))
    wanted = net(photos(LAST))
    assert keep_order(net, torch.device(device)) is net
    assert [type(layer) is nn.Conv2d for layer in net] == [device == "cpu", True]
    assert torch.equal(net(photos(LAST)), wanted)


def test_such_a_convolution_gets_the_photo_px_by_px() -> None:
    with fake_gpu() as watched:
        net = nn.Sequential(nn.Conv2d(16, 16, (3, 5), 2, (1, 2), padding_mode="reflect")).to(GPU)
        x = torch.empty(2, 16, 8, 8, device=GPU, memory_format=LAST)
        with watched.without_a_wait():
            theirs = net(x)
            ours = keep_order(net, GPU)(x)
        assert theirs.shape == ours.shape
    assert sorted(photos for photos, *_ in watched.convolutions) == ["bordered", "last"]


@pytest.mark.parametrize("autocast", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", KINDS)
def test_on_a_gpu_it_is_one_operation_that_turns_nothing(name: str, autocast: bool) -> None:
    *_, way_in = KINDS[name]
    with fake_gpu() as watched, torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        x = torch.empty(2, 16, 8, 8, device=GPU, memory_format=LAST)
        with watched.without_a_wait():
            found = way_in(x)
        assert order_of(found) == "last"
        assert found.dtype == x.dtype
        assert watched.counts["reflection_pad3d"] + watched.counts["clone"] == 1
        assert not watched.reordered
        plain = x.contiguous()
        assert order_of(way_in(plain)) == "first"


def test_where_the_same_bits_are_wanted_a_border_is_torchs() -> None:
    with fake_gpu() as watched:
        x = torch.empty(2, 16, 8, 8, device=GPU, memory_format=LAST)
        torch.use_deterministic_algorithms(True)
        try:
            with watched.without_a_wait():
                with_reflected_border(x, BORDER)
        finally:
            torch.use_deterministic_algorithms(False)
    assert watched.counts["reflection_pad2d"] == 1


def test_torchs_own_still_leaves_the_order_on_a_gpu() -> None:
    """Once it keeps it, what stands for it here can go."""
    with fake_gpu():
        x = torch.empty(2, 16, 8, 8, device=GPU, memory_format=LAST)
        assert order_of(F.pad(x, BORDER, mode="reflect")) == "first"
    every_device = torch._C.DispatchKey.CompositeExplicitAutogradNonFunctional  # a GPU has no other
    for operation in (torch.ops.aten.pixel_unshuffle.default, torch.ops.aten.pixel_shuffle.default):
        assert not torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), "CUDA")
        assert order_of(operation._op_dk(every_device, photos(LAST), 2)) == "first"
