"""Every recipe's generator, full size: parameters, work, layers and view equal to the checklist's
figures. Built without memory, on torch's meta device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import TypeAdapter
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import components
from components.nets.generators import ConvUNet, Generator

RECIPES = Path(components.__file__).parent / "recipes"
NAMES = (
    "cyclegan",
    "deblurgan",
    "deblurgan_seed",
    "srgan",
    "srgan_seed",
    "unet_patchgan",
    "unet_patchgan_seed",
    "pix2pix",
    "pix2pix_seed",
)
SYSTEMS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((RECIPES / f"{name}.yaml").read_text())["train"]["generator"] for name in NAMES
}
Row = tuple[str, int, int, int, int]
C512 = ("C", 512, 512, 4, 2)
PIX2PIX: list[Row] = [
    *[
        ("C", 3, 64, 4, 2),
        ("C", 64, 128, 4, 2),
        ("C", 128, 256, 4, 2),
        ("C", 256, 512, 4, 2),
        C512,
        C512,
        C512,
        C512,
    ],
    *[("T", 512, 512, 4, 2), ("T", 1024, 512, 4, 2), ("T", 1024, 512, 4, 2), ("T", 1024, 512, 4, 2)],
    *[("T", 1024, 256, 4, 2), ("T", 512, 128, 4, 2), ("T", 256, 64, 4, 2), ("T", 128, 3, 4, 2)],
]
DEBLURGAN: list[Row] = [
    *[("C", 3, 64, 7, 1), ("C", 64, 128, 3, 2), ("C", 128, 256, 3, 2)],
    *[("C", 256, 256, 3, 1)] * 18,
    *[("T", 256, 128, 3, 2), ("T", 128, 64, 3, 2), ("C", 64, 3, 7, 1)],
]
SRGAN_TRUNK: list[Row] = [("C", 3, 64, 9, 1), *[("C", 64, 64, 3, 1)] * 33]
TABLES: dict[str, list[Row]] = {
    "cyclegan": DEBLURGAN,
    "deblurgan": DEBLURGAN,
    "deblurgan_seed": DEBLURGAN,
    "srgan": [*SRGAN_TRUNK, ("C", 64, 256, 3, 1), ("C", 64, 256, 3, 1), ("C", 64, 3, 9, 1)],
    "srgan_seed": [*SRGAN_TRUNK, ("C", 64, 256, 3, 1), ("C", 256, 256, 3, 1), ("C", 256, 3, 9, 1)],
    "unet_patchgan_seed": [
        ("C", 3, 64, 4, 2),
        ("C", 64, 128, 4, 2),
        ("T", 128, 64, 4, 2),
        ("T", 128, 3, 4, 2),
    ],
    "pix2pix": PIX2PIX,
    "pix2pix_seed": PIX2PIX,
}


def system(name: str) -> Generator:
    part: Generator = TypeAdapter(Generator).validate_python(SYSTEMS[name])
    return part


def on_meta(part: Generator) -> nn.Module:
    with torch.device("meta"):
        return part.build(seed=0).eval()


@pytest.mark.parametrize(
    ("name", "trainable", "statistics"),
    [
        ("cyclegan", 11_378_179, 0),
        ("deblurgan", 11_378_179, 0),
        ("deblurgan_seed", 11_388_675, 2 * 5_248),
        ("srgan", 1_547_350, 4_224),
        ("srgan_seed", 2_038_467, 4_224),
        ("unet_patchgan_seed", 272_003, 2 * (128 + 64)),
        ("pix2pix", 54_413_955, 9_856),
        ("pix2pix_seed", 54_414_979, 9_856 + 2 * 512),  # one normalisation more: the guide's bottleneck
    ],
)
def test_parameters_are_the_published_ones(name: str, trainable: int, statistics: int) -> None:
    net = on_meta(system(name))
    assert sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad) == trainable
    assert sum(buffer.numel() for key, buffer in net.named_buffers() if "running" in key) == statistics


@pytest.mark.parametrize(
    ("name", "side", "billions"),
    [
        ("deblurgan", 256, 49.55),
        ("deblurgan_seed", 256, 49.55),
        ("srgan", 56, 6.96),
        ("srgan", 24, 1.28),
        ("srgan_seed", 56, 38.4),
        ("pix2pix", 256, 6.05),
    ],
)
def test_work_is_as_counted_and_the_photo_comes_back_in_its_size(
    name: str, side: int, billions: float
) -> None:
    part = system(name)
    net = on_meta(part)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        restored = net(torch.zeros(1, 3, side, side, device="meta"))
    assert restored.shape == (1, 3, part.scale * side, part.scale * side)
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, rel=2e-3)


@pytest.mark.parametrize("name", TABLES)
def test_layers_are_the_checklists_in_their_order(name: str) -> None:
    found = [
        (
            "T" if isinstance(layer, nn.ConvTranspose2d) else "C",
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size[0],
            layer.stride[0],
        )
        for layer in on_meta(system(name)).modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert found == TABLES[name]


def test_the_better_unet_costs_a_fifth_of_deblurgans_net_and_has_as_many_weights() -> None:
    net = on_meta(system("unet_patchgan"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(10.2, abs=0.05)
    assert 11e6 < sum(parameter.numel() for parameter in net.parameters()) < 14e6


def view_px(part: Generator, side: int) -> set[int]:
    """Sides of what one px of the output feels of the input, over a period of the net's grid in the
    middle of the photo.
    """
    net = part.build(seed=0).eval()
    felt: set[int] = set()
    for y in range(side // 2, side // 2 + part.stride):
        for x in range(side // 2, side // 2 + part.stride):
            photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)).requires_grad_()
            net(photo)[0, :, y, x].sum().backward()
            assert photo.grad is not None
            places = photo.grad[0].abs().sum(0).nonzero()
            felt |= set((places.max(0).values - places.min(0).values + 1).tolist())
    return felt


# One innermost px sees 3 · 2**depth - 2 px, and an output px hears two or three of them, 2**depth
# px apart: 10 + 4 or 8, 22 + 8 or 16.
def test_the_guides_unet_sees_14_to_18_px_and_each_halving_twice_as_much() -> None:
    narrow = {"width": 8, "first": "he"}
    assert view_px(TypeAdapter(Generator).validate_python(SYSTEMS["unet_patchgan_seed"] | narrow), 64) == {
        14,
        18,
    }
    deeper = ConvUNet(
        width=8,
        depth=3,
        dropout=0,
        norm="none",
        decoder_slope=0.2,
        skip_slope=0.04,
        bottleneck_slope=0.2,
        first="he",
    )
    assert view_px(deeper, 96) == {30, 38}
