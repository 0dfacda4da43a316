"""Metrics that need no target: how natural a photo's statistics are beside a set's own, and how far it
strays from what it was.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from components.core.errors import InputError
from components.core.levels import Pixels
from components.metrics import METRICS, primary_of
from components.metrics.natural_scenes import NaturalScenes, _fitted
from components.metrics.of_set import functions_for


def textured(seed: int, *, side: int = 288) -> Pixels:
    """Structure at all sizes, amplitudes falling as 1/f as in photos (Field 1987)."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft2(rng.standard_normal((side, side)))
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1.0
    plane = np.fft.irfft2(waves / frequency, (side, side))
    plane = 128 + 45 * (plane - plane.mean()) / plane.std()
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.fixture(scope="module")
def model() -> NaturalScenes:
    return NaturalScenes.fit(textured(seed) for seed in range(8))


def tensor(photo: Pixels) -> torch.Tensor:
    return torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_blur_and_noise_both_take_a_photo_away_from_the_sets_sharp_ones(
    model: NaturalScenes, seed: int
) -> None:
    sharp = textured(seed)
    mild, strong = (cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1.0, 2.5))
    noise = np.random.default_rng(seed).normal(0, 15, sharp.shape)
    noisy = np.clip(sharp + noise, 0, 255).astype(np.uint8)
    assert model.distance(sharp) < model.distance(mild) < model.distance(strong)
    assert model.distance(sharp) < model.distance(noisy)


def test_the_real_pairs_come_in_the_right_order() -> None:
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not (data / "gopro_pairs").is_dir():
        pytest.skip("the shared photos are not here")

    def read(path: Path) -> Pixels:
        return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))

    model = NaturalScenes.fit(read(path) for path in sorted((data / "bsds500/train").glob("*.jpg"))[:30])
    for path in sorted((data / "gopro_pairs/sharp").glob("*.png")):
        blurred = read(path.parents[1] / "blur" / path.name)
        assert model.distance(read(path)) < model.distance(blurred), path.name


def test_the_shape_of_gaussian_values_is_two_and_of_laplacian_ones_one() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(0, 3, (200, 200)), rng.laplace(0, 3, (200, 200))])
    shape, left, right = _fitted(values)
    assert shape == pytest.approx([2.0, 1.0], abs=0.05)
    assert left / right == pytest.approx([1.0, 1.0], abs=0.03)
    assert left[1] == pytest.approx(3.0, rel=0.05)  # of a Laplacian the width is its scale


def test_a_skewed_distribution_has_a_wider_side() -> None:
    values = np.abs(np.random.default_rng(1).normal(0, 1, (1, 100, 100)))
    values[:, ::2] *= -3
    _, left, right = _fitted(values)
    assert left[0] / right[0] == pytest.approx(3.0, rel=0.05)


def test_a_model_needs_sharp_patches_and_a_photo_several() -> None:
    with pytest.raises(InputError, match="there are 0 patches of such; give larger photos"):
        NaturalScenes.fit([textured(1, side=64)])
    with pytest.raises(InputError, match="at least 192 px a side, got 120 × 120"):
        NaturalScenes.fit([textured(1)]).distance(textured(2, side=120))
    with pytest.raises(InputError, match="fitted to a set's sharp training photos"):
        METRICS["nss_of_set"].function(tensor(textured(1)), tensor(textured(1)))


def test_a_fit_is_made_once_a_set_and_only_for_the_metric_that_needs_it() -> None:
    asked = []

    def sharp() -> list[Pixels]:
        asked.append(1)
        return [textured(seed) for seed in range(3)]

    functions_for(("psnr_rgb", "rmse_shrunk4_rgb"), "set a", sharp)
    assert not asked
    one = functions_for(("nss_of_set",), "set a", sharp)["nss_of_set"]
    again = functions_for(("nss_of_set",), "set a", sharp)["nss_of_set"]
    functions_for(("nss_of_set",), "set b", sharp)
    assert one is again
    assert len(asked) == 2
    photo = tensor(textured(9))
    assert one(photo, torch.zeros_like(photo)) == one(photo, photo), "the target is not looked at"


def test_detail_that_averages_out_is_no_change_and_a_shift_of_brightness_is() -> None:
    change = METRICS["rmse_shrunk4_rgb"].function
    grey = torch.full((1, 3, 16, 16), 0.5)
    stripes = grey.clone()
    stripes[..., ::2] += 0.2
    stripes[..., 1::2] -= 0.2
    assert change(stripes, grey).item() == pytest.approx(0.0, abs=1e-5)
    assert change(grey + 0.1, grey).item() == pytest.approx(25.5, rel=1e-5)
    assert change(grey, grey).item() == 0.0


def test_noise_counts_a_quarter_and_blur_little() -> None:
    sharp = textured(3)
    rng = np.random.default_rng(3)
    noisy = torch.from_numpy(np.clip(0.5 + rng.normal(0, 0.08, (1, 3, 256, 256)), 0, 1)).float()
    change = METRICS["rmse_shrunk4_rgb"].function
    assert change(noisy, torch.full_like(noisy, 0.5)).item() == pytest.approx(255 * 0.08 / 4, rel=0.03)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 1.0)
    whole = (tensor(sharp) - tensor(blurred)).square().mean().sqrt().item() * 255
    assert change(tensor(sharp), tensor(blurred)).item() < 0.4 * whole


def test_pictures_are_put_in_order_by_psnr_or_else_by_the_first_metric() -> None:
    assert primary_of(("ssim_gauss11_rgb", "psnr_rgb")) == "psnr_rgb"
    assert primary_of({"nss_of_set": 1.0, "rmse_shrunk4_rgb": 2.0}) == "nss_of_set"
