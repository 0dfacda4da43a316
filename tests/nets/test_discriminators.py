"""Discriminators: sizes, maps, layer tables and receptive fields equal to the published ones; what
they are shown; Keras' ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from small_discriminators import name_of, on_paper, part_of, photo_of
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.errors import InputError
from components.nets.discriminators import DiscriminatorPart, PatchDense, PatchGAN, Pixel, SRGANDiscriminator
from components.nets.modules.discriminator_view import discriminator_view
from components.nets.norms import Batch

KERAS_BATCH = {"kind": "batch", "epsilon": 1e-3, "momentum": 0.01}

# Every discriminator of the eight recipes, as a recipe would write it.
OFFICIAL_DEBLURGAN = {"kind": "patchgan"}
OFFICIAL_PIX2PIX = {"kind": "patchgan", "conditional": True, "norm": "batch", "bias": "ends"}
SEED_A = {"kind": "patch_dense"}
SEED_B = {
    "kind": "srgan",
    "head": "map",
    "norm_first": False,
    "bias": "all",
    "padding": "keras",
    "norm": KERAS_BATCH | {"momentum": 0.2},
    "first": "glorot",
}
SEED_C = {
    "kind": "patchgan",
    "penultimate": False,
    "norm": KERAS_BATCH,
    "padding": "keras",
    "first": "glorot",
}
SEED_D = {"kind": "patchgan", "conditional": True, "norm": KERAS_BATCH, "bias": "last"}
PAPER_SRGAN = {"kind": "srgan"}


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def map_side(part: DiscriminatorPart, side: int) -> int:
    logits = on_paper(part)(torch.empty(1, 6 if part.conditional else 3, side, side, device="meta"))
    assert logits.shape[1] == 1
    assert logits.shape[2] == logits.shape[3]
    return int(logits.shape[3])


def convolutions(net: nn.Module) -> list[tuple[int, int, int]]:
    """Channels, kernel and stride of each convolution."""
    return [
        (layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for layer in net.modules()
        if isinstance(layer, nn.Conv2d)
    ]


def felt_px(net: nn.Module, channels: int, side: int) -> list[int]:
    """Height and width of the part of the photo that the middle value of the map feels."""
    photo = torch.zeros(1, channels, side, side, requires_grad=True)
    logits = net(photo)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert photo.grad is not None
    felt = photo.grad[0].abs().sum(0).nonzero()
    extent: list[int] = (felt.max(0).values - felt.min(0).values + 1).tolist()
    return extent


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (OFFICIAL_DEBLURGAN, 2_764_737),
        (OFFICIAL_PIX2PIX, 2_768_705),
        (SEED_A, 3_096_450),
        (SEED_B, 5_215_425),  # B-11
        (PAPER_SRGAN, 23_563_649),  # B-10: 23.56 M at 96 px
        (SEED_C, 663_745),  # C-05
        (SEED_D, 2_768_641),  # D-14
        # 6·64 + 64, 64·128 + 128 and its norm's 2·128, 128 + 1.
        ({"kind": "pixel", "conditional": True, "norm": "batch"}, 448 + 8_320 + 256 + 129),
    ],
    ids=name_of,
)
def test_weights_are_as_many_as_published(config: dict[str, Any], published: int) -> None:
    assert count(on_paper(part_of(config))) == published


def test_the_srgan_guides_running_means_are_as_many_as_published() -> None:
    buffers = dict(on_paper(part_of(SEED_B)).named_buffers())
    assert sum(kept.numel() for name, kept in buffers.items() if "running" in name) == 3_712


@pytest.mark.parametrize(
    ("config", "side", "published"),
    [
        (OFFICIAL_DEBLURGAN, 256, 30),
        (SEED_B, 224, 14),
        (SEED_C, 256, 32),
        (SEED_D, 256, 30),
        ({"kind": "pixel"}, 256, 256),
        (SEED_A, 256, 1),
        (PAPER_SRGAN, 96, 1),
    ],
    ids=name_of,
)
def test_maps_are_as_large_as_published(config: dict[str, Any], side: int, published: int) -> None:
    assert map_side(part_of(config), side) == published


def test_the_deblurgan_guides_dense_layers_read_a_map_of_16_by_16() -> None:
    net = on_paper(PatchDense())
    assert net.convolutions(torch.empty(1, 3, 256, 256, device="meta")).shape == (1, 1, 16, 16)
    assert [
        (layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)
    ] == [(256, 1024), (1024, 1)]
    assert [type(layer) for layer in net.dense] == [nn.Linear, nn.Tanh, nn.Linear, nn.Sigmoid]


@pytest.mark.parametrize(
    ("config", "table"),
    [
        (OFFICIAL_DEBLURGAN, [(64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 1), (1, 4, 1)]),
        (SEED_A, [(64, 4, 2), (64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 1), (1, 4, 1)]),
        (
            SEED_B,  # B-10
            [
                (64, 3, 1),
                (64, 3, 2),
                (128, 3, 1),
                (128, 3, 2),
                (256, 3, 1),
                (256, 3, 2),
                (512, 3, 1),
                (512, 3, 2),
                (1024, 1, 1),
                (1, 1, 1),
            ],
        ),
        (
            PAPER_SRGAN,
            [
                (64, 3, 1),
                (64, 3, 2),
                (128, 3, 1),
                (128, 3, 2),
                (256, 3, 1),
                (256, 3, 2),
                (512, 3, 1),
                (512, 3, 2),
            ],
        ),
        (SEED_C, [(64, 4, 2), (128, 4, 2), (256, 4, 2), (1, 4, 1)]),  # C-05
        (SEED_D, [(64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 1), (1, 4, 1)]),  # D-14
        ({"kind": "pixel"}, [(64, 1, 1), (128, 1, 1), (1, 1, 1)]),  # D-08
        ({"kind": "patchgan", "layers": 1}, [(64, 4, 2), (128, 4, 1), (1, 4, 1)]),  # D-09
        (
            {"kind": "patchgan", "layers": 5},
            [(64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 2), (512, 4, 2), (512, 4, 1), (1, 4, 1)],
        ),  # D-10
    ],
    ids=name_of,
)
def test_convolutions_are_those_of_the_published_table(
    config: dict[str, Any], table: list[tuple[int, int, int]]
) -> None:
    assert convolutions(on_paper(part_of(config))) == table


def test_the_srgan_guide_normalises_behind_the_rectifier_and_the_paper_before_it() -> None:
    guide = [type(layer).__name__ for layer in on_paper(part_of(SEED_B | {"padding": "torch"}))]
    paper = [type(layer).__name__ for layer in on_paper(SRGANDiscriminator()).convolutions]
    assert guide[:5] == ["Conv2d", "LeakyReLU", "Conv2d", "LeakyReLU", "SharedBatchNorm2d"]  # B-10
    assert paper[:5] == ["Conv2d", "LeakyReLU", "Conv2d", "SharedBatchNorm2d", "LeakyReLU"]
    assert guide[-4:] == ["SharedBatchNorm2d", "Conv2d", "LeakyReLU", "Conv2d"]


@pytest.mark.parametrize(
    ("bias", "having"),
    [("all", [True] * 5), ("ends", [True, False, False, False, True]), ("last", [False] * 4 + [True])],
)
def test_bias_says_which_convolutions_have_one(bias: str, having: list[bool]) -> None:
    net = on_paper(part_of({"kind": "patchgan", "bias": bias, "norm": "batch"}))
    assert [layer.bias is not None for layer in net.modules() if isinstance(layer, nn.Conv2d)] == having


@pytest.mark.parametrize(("layers", "seen"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286), (6, 574)])
def test_receptive_field_is_what_one_logit_feels(layers: int, seen: int) -> None:
    part = PatchGAN(layers=layers, width=4, norm="none")
    assert part.receptive_field_px == seen
    assert felt_px(part.build(seed=0), 3, seen + 64) == [seen, seen]


@pytest.mark.parametrize(
    ("config", "seen"),
    [
        ({"kind": "pixel"}, 1),  # D-08
        (SEED_C, 46),  # C-05
        (SEED_D, 70),  # D-07
        (SEED_B, 61),
    ],
    ids=name_of,
)
def test_receptive_fields_of_the_other_maps(config: dict[str, Any], seen: int) -> None:
    part = part_of(config | {"width": 4, "norm": "none", "first": "normal"})
    assert part.receptive_field_px == seen
    assert felt_px(part.build(seed=0), 6 if part.conditional else 3, seen + 64) == [seen, seen]


def test_a_value_of_the_deblurgan_guides_map_feels_142_px_and_its_output_everything() -> None:
    part = PatchDense(width=4, norm="none", dense=8)
    assert part.map_field_px == 142
    assert part.receptive_field_px is None
    net = part.build(seed=0)
    assert felt_px(net.convolutions, 3, 256) == [142, 142]
    assert felt_px(net, 3, 256) == [256, 256]


def test_a_shrunk_discriminator_sees_as_many_times_more() -> None:
    part = PatchGAN(layers=1, width=4, norm="none", shrink=2)
    assert part.receptive_field_px == 32
    photo = torch.zeros(1, 3, 128, 128, requires_grad=True)
    logits = part.build(seed=0)(discriminator_view(part, photo, photo))
    logits[0, 0, 15, 15].backward()
    assert photo.grad is not None
    felt = photo.grad[0].abs().sum(0).nonzero()
    assert (felt.max(0).values - felt.min(0).values + 1).tolist() == [32, 32]


def test_a_conditional_discriminator_is_shown_the_input_and_then_the_photo() -> None:
    shown = discriminator_view(
        PatchGAN(shrink=2, conditional=True), torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    )
    assert shown.shape == (1, 6, 4, 4)
    assert shown[:, :3].max() == 0
    assert shown[:, 3:].min() == 1


def test_a_smaller_input_is_enlarged_bicubically_beside_the_photo() -> None:
    # A cubic spline draws a straight line exactly; px centres of the ×4 photo lie at (i + 1/2) / 4
    # - 1/2 of the small one.
    small = torch.arange(12.0).expand(1, 3, 12, 12)
    photo = torch.zeros(1, 3, 48, 48)
    shown = discriminator_view(PatchGAN(conditional=True), photo, small)
    line = (torch.arange(48) + 0.5) / 4 - 0.5
    torch.testing.assert_close(shown[0, 0, 20, 8:-8], line[8:-8])
    assert shown[:, 3:].abs().max() == 0


def test_enlargement_is_that_of_pillow() -> None:
    small = torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(
        np.array(Image.fromarray(small.numpy()).resize((20, 24), Image.Resampling.BICUBIC))
    )
    shown = discriminator_view(Pixel(conditional=True), torch.zeros(1, 3, 24, 20), small.expand(1, 3, 6, 5))
    torch.testing.assert_close(shown[0, 0], theirs, rtol=0, atol=1e-5)


def test_two_scales_see_the_photo_and_its_half_and_share_the_loss_by_their_weights() -> None:
    # C-18: 256 and 128 px, 0.6 : 0.4.
    whole, half = (
        part_of({"kind": "patchgan", "weight": weight, "shrink": shrink})
        for weight, shrink in ((0.6, 1), (0.4, 2))
    )
    photo = photo_of(256)
    assert torch.equal(discriminator_view(whole, photo, photo), photo)
    assert discriminator_view(half, photo, photo).shape == (1, 3, 128, 128)
    torch.testing.assert_close(discriminator_view(half, photo, photo)[0, 0, 0, 0], photo[0, 0, :2, :2].mean())
    assert [part.receptive_field_px for part in (whole, half)] == [70, 140]
    assert [map_side(whole, 256), map_side(half, 128)] == [30, 14]
    assert whole.weight + half.weight == pytest.approx(1.0)
    assert not torch.equal(
        next(whole.build(seed=1, index=0).parameters()), next(half.build(seed=1, index=1).parameters())
    )


def test_the_deblurgan_guides_output_is_bounded_and_a_logit_is_not() -> None:
    photo = 100 * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    small: dict[str, Any] = {"width": 4, "crop_px": 32, "layers": 2, "norm": "none"}

    def outputs(scale: float, sigmoid: bool) -> Tensor:
        net = PatchDense(sigmoid=sigmoid, **small).build(seed=0)
        with torch.no_grad():
            for weight in net.parameters():
                weight.mul_(scale)
            found: Tensor = net(photo)
        return found

    bounded, free = outputs(10.0, sigmoid=True), outputs(10.0, sigmoid=False)
    assert free.abs().max() > 1
    assert bounded.min() >= 0
    assert bounded.max() <= 1
    torch.testing.assert_close(bounded, torch.sigmoid(free))


def test_a_sigmoid_on_the_map_changes_what_the_dense_layers_read() -> None:
    small: dict[str, Any] = {"width": 4, "crop_px": 32, "layers": 2, "sigmoid": False}
    plain, squeezed = (PatchDense(map_sigmoid=squeeze, **small).build(seed=0) for squeeze in (False, True))
    photo = photo_of(32, batch=2)
    with torch.no_grad():
        read = torch.sigmoid(plain.convolutions(photo)).flatten(1)
        torch.testing.assert_close(squeezed(photo).flatten(1), plain.dense(read))


@pytest.mark.parametrize(
    "config",
    [{"kind": "patch_dense", "crop_px": 32, "width": 4}, {"kind": "srgan", "crop_px": 32, "width": 4}],
    ids=name_of,
)
@pytest.mark.parametrize("size", [(31, 32), (32, 48), (64, 64)])
def test_a_dense_head_refuses_another_size_and_says_which_it_takes(
    config: dict[str, Any], size: tuple[int, int]
) -> None:
    net = part_of(config).build(seed=0)
    with pytest.raises(
        InputError, match=rf"takes photos of 32×32 px, got {size[0]}×{size[1]}; set its crop_px"
    ):
        net(torch.zeros(2, 3, *size))


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "patch_dense", "crop_px": 16, "layers": 6},
        {"kind": "patch_dense", "crop_px": 250, "shrink": 4},
        {"kind": "srgan", "crop_px": 16},
        {"kind": "srgan", "crop_px": 99, "shrink": 2},
    ],
    ids=name_of,
)
def test_a_dense_head_refuses_a_crop_it_cannot_halve(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"crop_px {config['crop_px']} must be a multiple of shrink"):
        part_of(config)


def test_batch_norms_constants_are_those_of_the_part() -> None:
    # Keras counts momentum the other way round: its 0.99 is 0.01 here (§1E).
    norms = [
        layer
        for layer in PatchDense(width=4, crop_px=64).build(seed=0).modules()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-3, 0.01)}
    assert len(norms) == 4
    assert PatchGAN(norm=Batch()).norm == PatchGAN(norm="batch").norm


def test_keras_padding_puts_the_odd_px_right_and_below() -> None:
    # A kernel of 4 with stride 1 needs 3 px of border: 1 left and above, 2 right and below (§1E).
    net = PatchGAN(layers=1, width=4, penultimate=False, padding="keras", norm="none").build(seed=0)
    photo = photo_of(16)
    first, last = (layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    expected = F.leaky_relu(F.conv2d(F.pad(photo, (1, 1, 1, 1)), first.weight, first.bias, stride=2), 0.2)
    expected = F.conv2d(F.pad(expected, (1, 2, 1, 2)), last.weight, last.bias)
    torch.testing.assert_close(net(photo), expected)


@pytest.mark.parametrize(
    ("config", "smallest"),
    [
        (OFFICIAL_DEBLURGAN, 24),
        (OFFICIAL_DEBLURGAN | {"shrink": 2}, 48),
        (SEED_C, 9),
        (SEED_A, 256),
        (SEED_B, 17),
    ],
)
def test_the_smallest_photo_of_the_published_nets(config: dict[str, Any], smallest: int) -> None:
    assert part_of(config).smallest_px == smallest
