"""Super-resolution's PSNR and SSIM: levels by hand, agreement with independent code on real photos,
the border, refusal.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from components.core.errors import InputError
from components.metrics import METRICS, psnr_y_crop4, ssim_y_crop4
from components.metrics.luma import luma_levels

FUNCTIONS = pytest.mark.parametrize("function", [psnr_y_crop4, ssim_y_crop4])
# MATLAB's rgb2ycbcr of pure colours, by the table of BT.601 (8 bit, studio range).
KNOWN = {
    (0, 0, 0): 16,
    (255, 255, 255): 235,
    (255, 0, 0): 81,
    (0, 255, 0): 145,
    (0, 0, 255): 41,
    (255, 255, 0): 210,
    (128, 128, 128): 126,
}


def as_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    import skimage

    folder, noise, made = Path(skimage.__file__).parent / "data", np.random.default_rng(3), []
    for name in ("astronaut.png", "coffee.png", "chelsea.png"):
        target = np.asarray(Image.open(folder / name).convert("RGB"))[:181, :157]
        blurred = (target.astype(float) + np.roll(target, 2, 1) + np.roll(target, 3, 0)) / 3 + noise.normal(
            0, 5, target.shape
        )
        made.append((np.clip(np.rint(blurred), 0, 255).astype(np.uint8), target))
    return made


@pytest.mark.parametrize(("colour", "level"), KNOWN.items())
def test_pure_colours_have_their_level_of_brightness(colour: tuple[int, int, int], level: int) -> None:
    photo = torch.tensor(colour).view(1, 3, 1, 1) / 255
    assert luma_levels(photo).item() == level


def test_one_level_of_white_off_everywhere_is_by_hand() -> None:
    # Grey 100 is Y 102 (101.9), grey 107 is Y 108 (107.9): six levels, 20 log10(255 / 6).
    x, y = (torch.full((1, 3, 20, 20), level / 255) for level in (100, 107))
    assert psnr_y_crop4(x, y).item() == pytest.approx(20 * math.log10(255 / 6))


def test_both_agree_with_skimage_on_real_photos(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    from skimage.color import rgb2ycbcr
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    for photos in pairs:
        x, y = (np.floor(rgb2ycbcr(photo)[4:-4, 4:-4, 0] + 0.5 + 1e-9) for photo in photos)
        _, full = structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
        )
        assert ssim_y_crop4(*map(as_tensor, photos)).item() == pytest.approx(
            full[5:-5, 5:-5].mean(), abs=1e-6
        )
        assert psnr_y_crop4(*map(as_tensor, photos)).item() == pytest.approx(
            peak_signal_noise_ratio(x, y, data_range=255), abs=1e-9
        )


def test_brightness_agrees_with_skimages_conversion(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    from skimage.color import rgb2ycbcr

    for _, target in pairs:
        assert np.array_equal(
            luma_levels(as_tensor(target))[0, 0].numpy(), np.floor(rgb2ycbcr(target)[:, :, 0] + 0.5 + 1e-9)
        )  # a hair, for halves


@FUNCTIONS
def test_the_border_of_four_pixels_counts_for_nothing(function) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(1, 3, 30, 26, generator=generator) for _ in range(2))
    spoiled = x.clone()
    spoiled[:, :, :4] = spoiled[:, :, -4:] = 0
    spoiled[..., :4] = spoiled[..., -4:] = 1
    assert function(spoiled, y).item() == function(x, y).item()
    spoiled[:, :, 4, 4] = 1 - spoiled[:, :, 4, 4].round()
    assert function(spoiled, y).item() != function(x, y).item()


@FUNCTIONS
def test_order_does_not_matter_and_a_batch_gives_each_photo_its_own_value(function) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.rand(3, 3, 30, 26, generator=generator) for _ in range(2))
    assert function(y, x).tolist() == function(x, y).tolist()
    assert function(x, y).tolist() == pytest.approx(
        [function(x[i : i + 1], y[i : i + 1]).item() for i in range(3)]
    )
    assert function(x, y).dtype == torch.float64


def test_identical_photos_are_best() -> None:
    photo = torch.rand(1, 3, 24, 24)
    assert psnr_y_crop4(photo, photo).item() == math.inf
    assert METRICS["psnr_y_crop4"].stored(math.inf) == 100.0
    assert ssim_y_crop4(photo, photo).item() == 1.0


@pytest.mark.parametrize(("function", "smallest"), [(psnr_y_crop4, 9), (ssim_y_crop4, 19)])
def test_the_smallest_photo_is_measured_and_a_smaller_one_refused(function, smallest: int) -> None:
    photo = torch.rand(1, 3, smallest, smallest)
    assert math.isfinite(function(photo, 1 - photo).item())
    with pytest.raises(InputError, match=rf"at least {smallest} px on each side \(a border of 4 px is cut"):
        function(photo[:, :, 1:], photo[:, :, 1:])


@FUNCTIONS
def test_measuring_leaves_its_inputs_alone_and_carries_no_gradient(function) -> None:
    x, y = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32)
    before = x.detach().clone()
    assert not function(x, y).requires_grad
    assert torch.equal(x, before)
