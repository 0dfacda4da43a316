"""Layer tables: rows that can be checked by hand, sums that are the net's own, receptive fields
that are the literature's.
"""

from __future__ import annotations

import pytest
import torch
from small import every_kind, on_paper, traced
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.flop_counter import FlopCounterMode

from components.describe.receptive_field import receptive_field, told_of_whole_photo
from components.describe.table import table
from components.nets.discriminators import PatchGAN, Pixel, SRGANDiscriminator
from components.nets.generators import Generator, Mobile, NAFNet, ResNet, SRResNet, UNet, WienerUNet
from components.nets.modules.attention import SelfAttention
from components.nets.modules.features import Features
from components.nets.norms import NoNorm
from components.nets.reach import reach_px

KINDS = every_kind()


class Joined(nn.Module):
    """x + tanh(conv(x)), and the same convolution a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.conv(x_NCHW + torch.tanh(self.conv(x_NCHW)))  # type: ignore[no-any-return]


def test_the_rows_of_a_tiny_net_are_those_on_paper() -> None:

    def net() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 2, 2, stride=2, bias=False),
        )

    rows = table(traced(net, (3, 8, 8))).rows
    assert [(row.number, row.name, row.kind, row.shape) for row in rows] == [
        (1, "0", "Conv2d", (4, 8, 8)),
        (2, "1", "BatchNorm2d", (4, 8, 8)),
        (3, "2", "ReLU", (4, 8, 8)),
        (4, "3", "Conv2d", (2, 4, 4)),
    ]
    assert [row.parameters for row in rows] == [3 * 4 * 9 + 4, 8, 0, 4 * 2 * 4]
    assert [row.statistics for row in rows] == [0, 8, 0, 0]
    assert [row.macs for row in rows] == [8 * 8 * 4 * 27, 0, 0, 4 * 4 * 2 * 16]


def test_paths_that_meet_and_functions_are_rows_and_shared_weights_count_once() -> None:
    found = table(traced(Joined, (2, 4, 4)))
    assert [(row.name, row.kind) for row in found.rows] == [
        ("conv", "Conv2d"),
        ("", "tanh"),
        ("", "addition of the input and 2"),
        ("conv", "Conv2d"),
    ]
    assert [row.parameters for row in found.rows] == [4, 0, 0, 0]
    assert [row.macs for row in found.rows] == [64, 0, 0, 64]


def test_the_dot_product_of_attention_is_a_row_of_its_own() -> None:
    rows = {
        row.name: row
        for row in table(traced(lambda: nn.Sequential(SelfAttention(8, 2, 4)), (8, 4, 4))).rows
        if "addition" not in row.kind
    }
    positions, heads, keys = 16, 2, 4
    assert rows["0.ask"].macs == positions * 8 * 3 * heads * keys
    assert rows["0"].macs == 2 * heads * positions * positions * keys
    assert rows["0.answer"].macs == positions * heads * keys * 8


def test_spectral_norm_stays_inside_its_layer() -> None:
    rows = table(traced(lambda: nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3))), (3, 8, 8))).rows
    assert [(row.name, row.kind, row.parameters, row.statistics) for row in rows] == [
        ("0", "Conv2d", 3 * 4 * 9 + 4, 4 + 27)
    ]


def test_frozen_parameters_are_told_apart() -> None:
    found = table(traced(lambda: Features("vgg19", "conv1_1", imagenet=True), (3, 16, 16)))
    assert (found.parameters, found.frozen, found.statistics) == (0, 3 * 64 * 9 + 64, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_the_nets_own(kind: str) -> None:
    build, shape = KINDS[kind]
    net, found = on_paper(build), table(traced(build, shape))
    parameters = list(net.parameters())
    assert found.parameters == sum(each.numel() for each in parameters if each.requires_grad)
    assert found.parameters + found.frozen == sum(each.numel() for each in parameters)
    assert found.statistics == sum(each.numel() for each in net.buffers() if each.is_floating_point())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.empty(1, *shape, device="meta"))
    assert found.macs == counter.get_total_flops() / 2 > 0


@pytest.mark.parametrize(
    "part",
    [
        PatchGAN(layers=1),
        PatchGAN(),
        PatchGAN(layers=5),
        PatchGAN(penultimate=False, padding="keras"),
        PatchGAN(spectral_norm=True),
        Pixel(),
    ],
    ids=lambda part: f"{part.kind}-{part.receptive_field_px}",
)
def test_the_measured_receptive_field_is_the_declared_one(part: PatchGAN | Pixel) -> None:
    seen = receptive_field(part.build(0), 3, max(part.smallest_px, 16), 512)
    assert (seen.px, seen.cut) == (part.receptive_field_px, False)


@pytest.mark.parametrize(
    "part",
    [
        ResNet(width=4, blocks=1),
        SRResNet(width=4, blocks=1),
        UNet(width=4, depth=1),
        NAFNet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1)),
        Mobile(),
        WienerUNet(width=4, depth=1, hidden=8),
    ],
    ids=lambda part: part.kind,
)
def test_a_generator_sees_what_it_reaches(part: Generator) -> None:
    """One px sees what lies on both sides of its cell within the reach that its tiles get."""
    reach, stride = reach_px(part), part.stride
    strip = ((2 * reach + 64) // stride + 5) * stride
    seen = receptive_field(part.build(0), 3, max(64, stride), strip)
    assert not seen.cut
    assert 2 * reach - stride <= seen.px <= 2 * reach + stride


@pytest.mark.parametrize(
    "part",
    [
        UNet(width=4, depth=1, norm=NoNorm()),
        UNet(width=4, depth=1, norm=NoNorm(), global_context=True),
        NAFNet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1)),
        NAFNet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1), channel_attention=False),
        WienerUNet(width=4, depth=1, hidden=8, norm=NoNorm()),
    ],
    ids=["unet", "global-context", "nafnet", "nafnet-without-attention", "wiener-unet"],
)
def test_a_net_is_told_of_the_whole_photo_where_a_far_corner_changes_the_middle(part: Generator) -> None:
    net = part.build(0).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.2)
        photo = torch.rand(1, 3, 448, 448) - 0.5
        changed = photo.clone()
        changed[..., :64, :64] *= 0.2
        before, after = (net(x)[0, :, 320:384, 320:384] for x in (photo, changed))
    assert told_of_whole_photo(net) == (not torch.equal(before, after))


def test_the_receptive_field_of_srgans_map_is_61_px() -> None:
    assert receptive_field(SRGANDiscriminator(head="map").build(0), 3, 32, 128).px == 61


def test_max_pooling_is_seen_whole() -> None:
    """conv1_1 to pool2 to conv3_1: ((1 + 2) · 2 + 4) · 2 + 4 = 24 px."""
    assert receptive_field(Features("vgg19", "conv3_1", imagenet=False), 3, 16, 64).px == 24


def test_a_field_that_reaches_the_border_says_so() -> None:
    seen = receptive_field(PatchGAN().build(0), 3, 32, 64)
    assert seen.cut
    assert str(seen) == f"≥ {seen.px} px"


def test_bounds_hide_nothing() -> None:
    """A bright input far beyond a tanh and a clamp still shows the 3×3 convolution before them."""

    class Bounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x_NCHW: Tensor) -> Tensor:
            return torch.clamp(torch.tanh(1000 * self.conv(x_NCHW)), -0.5, 0.5)

    assert receptive_field(Bounded(), 1, 16, 32).px == 3
