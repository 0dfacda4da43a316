"""One contract over every content loss: it reaches the generator, scales with its weight, is
nothing at equality, is a mean over the batch, stays finite.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from components.metrics import ssim_gauss11_rgb
from components.nets.generators import UNet
from components.train.content import (
    FFT,
    L1,
    L2,
    LAB,
    LPIPS,
    MSSSIM,
    SSIM,
    Charbonnier,
    ColourConsistency,
    Content,
    ContentLoss,
    Gradient,
    Perceptual,
    Photometric,
    TotalVariation,
)
from components.train.losses.colour import lab, xyz_matrix
from components.train.losses.structure import SCALE_WEIGHTS

CPU = torch.device("cpu")
KINDS: list[Content] = [
    L1(),
    L2(),
    Charbonnier(),
    Perceptual(layer="relu1_2"),
    Perceptual(layer="conv1_2", distance="l1", imagenet=True),
    LPIPS(backbone="alexnet"),
    SSIM(),
    MSSSIM(),
    TotalVariation(),
    ColourConsistency(),
    LAB(),
    LAB(lightness=0),
    Gradient(),
    FFT(),
]
EVERY = pytest.mark.parametrize("part", KINDS, ids=lambda part: part.kind)


def built(part: Content, vgg: dict[str, Path]) -> ContentLoss:
    """The loss, with weights drawn from a seed where it needs some."""
    weights = part.weights()
    return part.build(CPU, None if weights is None else vgg[weights.backbone])


def noise(part: Content, count: int = 2, seed: int = 0) -> Tensor:
    """Photos in [-1, 1] as large as the loss needs, with an even side for the generator."""
    side = max(16, part.smallest_px + part.smallest_px % 2)
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def photo(name: str, side: int = 192) -> Tensor:
    """A real photo's middle, (1, 3, side, side) in [-1, 1]."""
    pixels = getattr(skimage.data, name)()
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return (
        torch.from_numpy(pixels[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None].float()
        / 127.5
        - 1
    )


def worsened(target: Tensor) -> Tensor:
    blurred = nn.functional.avg_pool2d(target, 5, stride=1, padding=2, count_include_pad=False)
    return (blurred + 0.1 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))).clamp(
        -1, 1
    )


def test_the_contract_covers_every_kind_that_looks_at_two_pictures() -> None:
    # How frames are moved is looked at by one, under test_video_nets.py.
    assert {*map(type, KINDS), Photometric} == set(get_args(get_args(Content)[0]))
    assert [part.kind for part in KINDS if part.looks_at_flow] == []


@EVERY
def test_the_gradient_reaches_the_generators_first_layer_and_scales_with_the_weight(
    part: Content, vgg: dict[str, Path]
) -> None:
    # A popular SRGAN port re-wrapped its content loss, so that it carried none.
    generator = UNet(width=4, depth=1).build(seed=0)
    nn.init.normal_(generator.body.head.weight, std=0.1)
    blurred, target = noise(part), noise(part, seed=1)
    first = next(generator.parameters())
    slopes = []
    for weight in (1.0, 3.0):
        weighted = part.model_copy(update={"weight": weight})
        (slope,) = torch.autograd.grad(
            weighted.weight * built(weighted, vgg)(generator(blurred), target), first
        )
        slopes.append(slope)
    assert slopes[0].abs().sum() > 0
    torch.testing.assert_close(slopes[1], 3 * slopes[0])


@pytest.mark.parametrize(
    "part", [part for part in KINDS if part.compares_with_target], ids=lambda part: part.kind
)
def test_equal_photos_cost_nothing_and_others_something(part: Content, vgg: dict[str, Path]) -> None:
    loss, target = built(part, vgg), noise(part)
    assert loss(target, target).item() == pytest.approx(0.0, abs=1e-6)
    assert loss(noise(part, seed=1), target).item() > 1e-3


@EVERY
def test_the_loss_of_two_photos_is_the_mean_of_each(part: Content, vgg: dict[str, Path]) -> None:
    # DeblurGANv2's perceptual loss normalises only the first photo of a batch.
    loss = built(part, vgg)
    restored, target = noise(part), noise(part, seed=1)
    alone = [loss(restored[index : index + 1], target[index : index + 1]) for index in range(2)]
    torch.testing.assert_close(loss(restored, target), torch.stack(alone).mean())


@EVERY
def test_under_bfloat16_autocast_the_loss_keeps_its_value(part: Content, vgg: dict[str, Path]) -> None:
    loss, restored, target = built(part, vgg), noise(part).requires_grad_(), noise(part, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(restored, target)
    assert mixed.dtype == torch.float32
    # Only the nets of the perceptual loss run in bfloat16.
    assert mixed.item() == pytest.approx(
        loss(restored, target).item(), rel=0.02 if isinstance(part, Perceptual) else 1e-6
    )
    assert torch.autograd.grad(mixed, restored)[0].isfinite().all()


@EVERY
@pytest.mark.parametrize(
    "case", ["equal", "black on black", "black", "white", "far out of range", "negative"]
)
def test_value_and_gradient_stay_finite(part: Content, vgg: dict[str, Path], case: str) -> None:
    target = noise(part)
    black = -torch.ones_like(target)
    cases = {
        "equal": target,
        "black on black": black,
        "black": black,
        "white": -black,
        "far out of range": 20 * target,
        "negative": -target,
    }
    restored = cases[case].clone().requires_grad_()
    value = built(part, vgg)(restored, black if case == "black on black" else target)
    assert value.isfinite()
    assert torch.autograd.grad(value, restored)[0].isfinite().all()


@pytest.mark.parametrize(
    "part", [part for part in KINDS if not isinstance(part, Perceptual)], ids=lambda part: part.kind
)
def test_the_smallest_photo_has_a_value(part: Content, vgg: dict[str, Path]) -> None:
    side = part.smallest_px
    restored, target = torch.rand(2, 1, 3, side, side).unbind()
    assert built(part, vgg)(restored, target).isfinite()


@pytest.mark.parametrize("part", [SSIM(), MSSSIM()], ids=lambda part: part.kind)
def test_below_the_smallest_photo_there_is_no_window(part: Content) -> None:
    side = part.smallest_px - 1
    with pytest.raises(RuntimeError, match=r"[Kk]ernel size"):
        part.build(CPU, None)(torch.rand(1, 3, side, side), torch.rand(1, 3, side, side))


@pytest.mark.parametrize(("layer", "side"), [("conv1_2", 1), ("relu2_2", 2), ("conv3_3", 4), ("relu5_4", 16)])
def test_a_perceptual_layer_needs_a_pixel_left_after_the_halvings_before_it(layer: str, side: int) -> None:
    assert Perceptual(layer=layer).smallest_px == side


def test_a_tenth_off_everywhere_costs_a_tenth_in_l1_and_a_hundredth_in_l2() -> None:
    target = torch.zeros(1, 3, 4, 4)
    assert L1().build(CPU, None)(target + 0.1, target).item() == pytest.approx(0.1)
    assert L2().build(CPU, None)(target + 0.1, target).item() == pytest.approx(0.01)
    assert Charbonnier(epsilon=1e-3).build(CPU, None)(target + 0.1, target).item() == pytest.approx(
        0.099005, abs=1e-6
    )


@pytest.mark.parametrize(("distance", "power"), [("l2", 2), ("l1", 1)])
def test_the_scale_of_features_enters_as_the_distance_says(
    distance: str, power: int, vgg: dict[str, Path]
) -> None:
    restored, target = torch.rand(2, 1, 3, 16, 16).unbind()
    plain, scaled = (
        built(Perceptual(layer="conv1_1", distance=distance, scale=scale), vgg)(restored, target)
        for scale in (1.0, 0.5)
    )  # type: ignore[arg-type]
    torch.testing.assert_close(scaled, plain / 2**power)


def test_a_layer_vgg_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r'"conv3_9" is not in vgg19.*Did you mean "conv'):
        Perceptual(layer="conv3_9")


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_ssim_loss_is_one_minus_the_metric(name: str) -> None:
    target = photo(name)
    restored = worsened(target)
    metric = ssim_gauss11_rgb((restored + 1) / 2, (target + 1) / 2).item()
    assert 0.1 < metric < 0.9
    assert SSIM().build(CPU, None)(restored, target).item() == pytest.approx(1 - metric, abs=1e-5)


def ms_ssim_by_torchmetrics(restored: Tensor, target: Tensor) -> float:
    """MS-SSIM from torchmetrics' single scales, with windows wholly inside; its own five-scale
    function pads the coarsest scale's border.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    result = 1.0
    for scale, exponent in enumerate(SCALE_WEIGHTS):
        if scale < 4:
            part = ssim(restored, target, data_range=1.0, return_contrast_sensitivity=True)[1]
        else:
            part = ssim(restored, target, data_range=1.0, return_full_image=True)[1][..., 5:-5, 5:-5].mean()
        result *= float(part) ** exponent
        restored, target = nn.functional.avg_pool2d(restored, 2), nn.functional.avg_pool2d(target, 2)
    return result


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_the_ms_ssim_loss_agrees_with_torchmetrics(name: str) -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as whole

    target = photo(name, 272)
    restored = worsened(target)
    ours = 1 - MSSSIM().build(CPU, None)(restored, target).item()
    units = (restored.double() + 1) / 2, (target.double() + 1) / 2
    assert 0.5 < ours < 0.99
    assert ours == pytest.approx(ms_ssim_by_torchmetrics(*units), abs=1e-5)
    assert ours == pytest.approx(whole(*units, data_range=1.0).item(), abs=0.01)


def test_ms_ssim_minds_wide_blur_more_than_narrow() -> None:
    target, loss = photo("astronaut"), MSSSIM().build(CPU, None)
    wide = nn.functional.avg_pool2d(target, 15, stride=1, padding=7, count_include_pad=False)
    narrow = nn.functional.avg_pool2d(target, 3, stride=1, padding=1, count_include_pad=False)
    assert loss(wide, target).item() > 5 * loss(narrow, target).item()


@pytest.mark.parametrize("part", [SSIM(), MSSSIM()], ids=lambda part: part.kind)
def test_a_negative_of_the_target_is_led_back_to_it(part: Content) -> None:
    target = photo("astronaut")
    loss = part.build(CPU, None)
    restored = (-target).requires_grad_()
    value = loss(restored, target)
    (slope,) = torch.autograd.grad(value, restored)
    assert loss(restored.detach() - 0.1 * slope / slope.abs().mean(), target) < value - 0.05


@pytest.mark.parametrize(
    "part", [Perceptual(layer="conv1_2"), LPIPS(backbone="alexnet")], ids=lambda part: part.kind
)
def test_the_gradient_of_features_keeps_its_direction_under_bfloat16_near_the_target(
    part: Content, vgg: dict[str, Path]
) -> None:
    target = photo("chelsea")
    restored = target + 0.3 / 127.5 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    loss = built(part, vgg)
    slopes = []
    for precise in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not precise):
            moved = restored.clone().requires_grad_()
            slopes.append(torch.autograd.grad(loss(moved, target), moved)[0].flatten())
    assert torch.nn.functional.cosine_similarity(*slopes, dim=0) > 0.999


def test_total_variation_of_known_patterns() -> None:
    loss, anything = TotalVariation().build(CPU, None), torch.rand(1, 3, 8, 8)
    ramp = torch.linspace(0, 0.7, 8).expand(1, 3, 8, 8)
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4).expand(1, 3, 8, 8)
    assert loss(torch.full((1, 3, 8, 8), 0.3), anything).item() == 0
    assert loss(ramp, anything).item() == pytest.approx(0.1)
    assert loss(board, anything).item() == pytest.approx(4.0)


def test_total_variation_does_not_look_at_the_target() -> None:
    restored, target = torch.rand(2, 1, 3, 8, 8).unbind()
    loss = TotalVariation().build(CPU, None)
    assert loss(restored, target) == loss(restored, restored) > 0


def test_the_gradient_loss_counts_edges_with_their_direction_and_no_brightness() -> None:
    loss, ramp = Gradient().build(CPU, None), torch.linspace(-0.7, 0.7, 8).expand(1, 3, 8, 8)
    flat = torch.zeros(1, 3, 8, 8)
    assert loss(ramp + 0.3, ramp).item() == pytest.approx(0.0, abs=1e-6)
    assert loss(flat, ramp).item() == pytest.approx(0.2)
    assert loss(-ramp, ramp).item() == pytest.approx(0.4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 9), (7, 10)])
def test_the_fft_loss_is_the_mean_over_the_whole_orthonormal_spectrum(height: int, width: int) -> None:
    restored, target = torch.rand(2, 2, 3, height, width).unbind()
    spectrum = np.fft.fft2((restored - target).double().numpy(), norm="ortho")
    wanted = (np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean()) / 2
    assert FFT().build(CPU, None)(restored, target).item() == pytest.approx(wanted, rel=1e-5)


def test_noise_costs_the_same_fft_loss_at_any_crop_size() -> None:
    # Real and imaginary parts of white noise of deviation 0.1 have deviation 0.1/√2 each, and so a
    # mean size of 0.1/√π.
    source = torch.Generator().manual_seed(0)
    for side in (32, 128):
        error = 0.1 * torch.randn(4, 3, side, side, generator=source)
        assert FFT().build(CPU, None)(error, torch.zeros_like(error)).item() == pytest.approx(
            0.1 / math.sqrt(math.pi), rel=0.03
        )


def test_colour_consistency_sees_a_cast_and_no_fine_texture() -> None:
    loss, target = ColourConsistency().build(CPU, None), photo("coffee")
    cast = torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1).expand_as(target)
    texture = 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(96, 96).expand_as(target)
    assert loss(target + cast, target).item() == pytest.approx(0.02 / 3)
    assert (
        loss(target + texture, target).item() < 1e-3 * L2().build(CPU, None)(target + texture, target).item()
    )
    assert loss(target + cast + texture, target).item() == pytest.approx(0.02 / 3, rel=1e-2)


def test_a_wider_blur_forgives_coarser_texture() -> None:
    waves = 0.1 * torch.cos(2 * math.pi * torch.arange(96) / 16).expand(1, 3, 96, 96)
    costs = [
        ColourConsistency(sigma_px=sigma).build(CPU, None)(waves, torch.zeros_like(waves)).item()
        for sigma in (1.0, 3.0, 6.0)
    ]
    assert costs[0] > 2 * costs[1] > 20 * costs[2]


@pytest.mark.parametrize("name", ["astronaut", "coffee", "colorwheel"])
def test_lab_agrees_with_skimage(name: str) -> None:
    pixels = getattr(skimage.data, name)()
    ours = (
        lab(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1, xyz_matrix(CPU))[0]
        .permute(1, 2, 0)
        .numpy()
    )
    assert np.abs(ours - skimage.color.rgb2lab(pixels)).max() < 0.05


def test_lab_of_greys_has_no_colour() -> None:
    greys = torch.linspace(-1, 1, 33).view(1, 1, 1, 33).expand(1, 3, 1, 33)
    lightness, a, b = lab(greys, xyz_matrix(CPU))[0, :, 0]
    assert (lightness.diff() > 0).all()
    assert (lightness[0].item(), lightness[-1].item()) == (
        pytest.approx(0, abs=1e-4),
        pytest.approx(100, abs=1e-3),
    )
    assert torch.stack([a, b]).abs().max() < 1e-3


def test_black_against_white_costs_one_in_lab_and_nothing_in_its_colours() -> None:
    black, white = -torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert LAB().build(CPU, None)(black, white).item() == pytest.approx(1.0, abs=1e-4)
    assert LAB(lightness=0).build(CPU, None)(black, white).item() == pytest.approx(0.0, abs=1e-4)


def test_the_colours_of_lab_see_a_cast() -> None:
    target = photo("coffee")
    reddish = target + torch.tensor([0.1, 0.0, 0.0]).view(1, 3, 1, 1)
    brighter = target + 0.1
    loss = LAB(lightness=0).build(CPU, None)
    assert loss(reddish, target).item() > 2 * loss(brighter, target).item() > 0
