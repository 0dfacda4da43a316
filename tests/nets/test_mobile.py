"""The phone's net keeps within its budget, and has no operator that phones' runtimes lack."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from components import recipes
from components.nets.generators import Mobile

GMAC_AT_720P = 6.0
PHONES_HAVE = (nn.Conv2d, nn.ReLU, nn.Identity)


def macs(part: Mobile, height: int, width: int) -> float:
    """Multiplications for one photo, in thousand millions."""
    with torch.device("meta"):
        net, photo = part.build(seed=0), torch.empty(1, 3, height, width)
    counter = FlopCounterMode(display=False)
    with counter:
        net(photo)
    return counter.get_total_flops() / 2 / 1e9


def of_recipe() -> Mobile:
    part = recipes.load("mobile").train.generator
    assert isinstance(part, Mobile)
    return part


def test_the_recipes_net_keeps_the_phones_budget() -> None:
    part = of_recipe()
    assert macs(part, 720, 1280) <= GMAC_AT_720P
    assert macs(part, 720, 1280) == pytest.approx(4.4, abs=0.05)
    with torch.device("meta"):
        count = sum(each.numel() for each in part.build(seed=0).parameters())
    assert count == pytest.approx(434_000, abs=1_000)


def test_it_has_only_what_every_phones_runtime_has() -> None:
    with torch.device("meta"):
        net = of_recipe().build(seed=0)
    leaves = [each for each in net.modules() if not list(each.children())]
    assert {type(each) for each in leaves} <= set(PHONES_HAVE)
    assert all(each.padding_mode == "zeros" for each in leaves if isinstance(each, nn.Conv2d))


def test_dense_blocks_are_dearer_and_concatenation_is_a_choice() -> None:
    part = of_recipe()
    assert macs(part.model_copy(update={"dense": True}), 720, 1280) > 2 * macs(part, 720, 1280)
    joined = part.model_copy(update={"skips": "concat"}).build(seed=0)
    x = torch.rand(1, 3, 32, 48)
    assert joined(x).shape == x.shape


def test_pixels_are_learned_before_anything_else() -> None:
    first, *_ = recipes.load("mobile").train.phases
    assert first.adversarial is False
