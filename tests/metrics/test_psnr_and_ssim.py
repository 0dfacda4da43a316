"""PSNR and SSIM: values one can check by hand, properties, agreement with independent code on real
photos, refusal.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from components.core.errors import InputError
from components.metrics import METRICS, PRIMARY, measurable, metric_named, psnr_rgb, ssim_gauss11_rgb
from components.metrics.ssim import gaussian_weights

GOPRO = Path(__file__).parents[2].parent / "shared" / "data" / "gopro_pairs"
KNOWN = {
    "campus": (22.8665, 0.636615),
    "flower": (25.1070, 0.820987),
    "istanbul": (24.0500, 0.716955),
    "park_path": (20.2802, 0.548571),
}
FUNCTIONS = pytest.mark.parametrize("function", [psnr_rgb, ssim_gauss11_rgb])


def as_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return {
        name: np.asarray(Image.open(folder / name).convert("RGB"))[:301, :277]
        for name in ("astronaut.png", "coffee.png", "chelsea.png")
    }


def worsened(photo: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 9, photo.shape)
    blurred = (photo.astype(float) + np.roll(photo, 2, 1) + np.roll(photo, 3, 0)) / 3
    return np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)


def test_a_tenth_off_everywhere_is_twenty_decibels() -> None:
    target = torch.zeros(1, 3, 8, 8)
    assert psnr_rgb(target + 0.1, target).item() == pytest.approx(20.0, abs=1e-5)


def test_one_channel_of_three_off_by_a_tenth_is_four_point_eight_decibels_better() -> None:
    target = torch.zeros(1, 3, 8, 8)
    off = target.clone()
    off[:, 1] = 0.1
    assert psnr_rgb(off, target).item() == pytest.approx(20.0 + 10 * math.log10(3), abs=1e-5)


def test_psnr_of_identical_photos_is_infinite_and_is_stored_as_a_hundred() -> None:
    photo = torch.rand(2, 3, 9, 9)
    assert psnr_rgb(photo, photo).tolist() == [math.inf, math.inf]
    assert METRICS["psnr_rgb"].stored(math.inf) == 100.0
    assert METRICS["psnr_rgb"].stored(31.5) == 31.5


def test_ssim_of_identical_photos_is_exactly_one() -> None:
    photo = torch.rand(2, 3, 40, 23)
    assert ssim_gauss11_rgb(photo, photo).tolist() == [1.0, 1.0]


def test_ssim_of_two_flat_greys_is_the_brightness_term_alone() -> None:
    x, y = 0.25, 0.75
    wanted = (2 * x * y + 1e-4) / (x * x + y * y + 1e-4)
    flat = torch.ones(1, 3, 16, 16)
    assert ssim_gauss11_rgb(flat * x, flat * y).item() == pytest.approx(wanted, abs=1e-6)


def test_a_photo_of_one_window_is_the_formula_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(4)
    x, y = (torch.rand(1, 3, 11, 11, dtype=torch.float64, generator=generator) for _ in range(2))
    line = torch.tensor(gaussian_weights(), dtype=torch.float64)
    window = torch.outer(line, line)

    def mean(values: Tensor) -> Tensor:
        return (values * window).sum((2, 3))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    paper = (2 * mx * my + 0.01**2) * (2 * cov + 0.03**2) / ((mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2))
    assert ssim_gauss11_rgb(x, y).item() == pytest.approx(paper.mean().item(), abs=1e-12)


def test_the_window_sums_to_one_and_falls_by_its_sigma() -> None:
    weights = gaussian_weights()
    assert len(weights) == 11
    assert sum(weights) == pytest.approx(1.0)
    assert weights[5 + 3] / weights[5] == pytest.approx(math.exp(-2.0))  # 3 px are two sigmas


@FUNCTIONS
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), height=st.integers(11, 40), width=st.integers(11, 40))
def test_order_does_not_matter_and_nothing_beats_the_photo_itself(
    function, seed: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.rand(1, 3, height, width, generator=generator) for _ in range(2))
    value = function(x, y).item()
    assert function(y, x).item() == value
    assert value < function(x, x).item()


@FUNCTIONS
def test_a_batch_gives_each_photo_the_value_it_has_alone(function) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(4, 3, 50, 33, generator=generator) for _ in range(2))
    alone = [function(x[i : i + 1], y[i : i + 1]).item() for i in range(4)]
    assert function(x, y).tolist() == pytest.approx(alone, rel=1e-6)
    assert function(x, y).dtype == torch.float64


def test_ssim_does_not_depend_on_how_a_photo_is_cut_into_strips(
    monkeypatch: pytest.MonkeyPatch, photos: dict[str, np.ndarray]
) -> None:
    import components.metrics.ssim as module

    target, off = as_tensor(photos["coffee.png"]), as_tensor(worsened(photos["coffee.png"]))
    whole = ssim_gauss11_rgb(off, target).item()
    monkeypatch.setattr(module, "STRIP_VALUES", 3 * 277 * 13)
    assert ssim_gauss11_rgb(off, target).item() == pytest.approx(whole, abs=1e-7)


def test_psnr_and_ssim_agree_with_skimage_on_real_photos(photos: dict[str, np.ndarray]) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    for photo in photos.values():
        off = worsened(photo)
        # skimage leaves out half a window at each border when it averages (its `crop`), so its mean
        # is over whole windows too.
        _, full = structural_similarity(
            photo / 255.0,
            off / 255.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
            full=True,
        )
        assert ssim_gauss11_rgb(as_tensor(off), as_tensor(photo)).item() == pytest.approx(
            full[5:-5, 5:-5].mean(), abs=2e-6
        )
        assert psnr_rgb(as_tensor(off), as_tensor(photo)).item() == pytest.approx(
            peak_signal_noise_ratio(photo, off), abs=1e-5
        )


def test_psnr_agrees_with_torchmetrics_on_real_photos(photos: dict[str, np.ndarray]) -> None:
    from torchmetrics.functional.image import peak_signal_noise_ratio

    for photo in photos.values():
        target, off = as_tensor(photo), as_tensor(worsened(photo))
        assert psnr_rgb(off, target).item() == pytest.approx(
            peak_signal_noise_ratio(off, target, data_range=1.0).item(), abs=1e-4
        )


@pytest.mark.skipif(
    not GOPRO.is_dir(),
    reason="the shared GoPro pairs lie beside the checkout only where Refocus is developed",
)
@pytest.mark.parametrize("name", KNOWN)
def test_the_gopro_pairs_have_their_known_values(name: str) -> None:
    blurred, target = (
        as_tensor(np.asarray(Image.open(GOPRO / kind / f"{name}.png").convert("RGB")))
        for kind in ("blur", "sharp")
    )
    psnr, ssim = KNOWN[name]
    assert psnr_rgb(blurred, target).item() == pytest.approx(psnr, abs=1e-4)
    assert ssim_gauss11_rgb(blurred, target).item() == pytest.approx(ssim, abs=1e-6)


def test_half_precision_photos_are_measured_in_single_precision() -> None:
    x, y = torch.rand(1, 3, 32, 32).bfloat16(), torch.rand(1, 3, 32, 32).bfloat16()
    for function in (psnr_rgb, ssim_gauss11_rgb):
        assert function(x, y).item() == pytest.approx(function(x.float(), y.float()).item(), abs=1e-9)


@FUNCTIONS
def test_measuring_leaves_its_inputs_alone_and_carries_no_gradient(function) -> None:
    x, y = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32)
    before = x.detach().clone(), y.clone()
    assert not function(x, y).requires_grad
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@FUNCTIONS
def test_a_gpu_gives_the_values_of_the_processor(function, photos: dict[str, np.ndarray]) -> None:
    target, off = as_tensor(photos["coffee.png"]), as_tensor(worsened(photos["coffee.png"]))
    assert function(off.cuda(), target.cuda()).item() == pytest.approx(function(off, target).item(), abs=1e-5)


GOOD = torch.full((1, 3, 12, 12), 0.5)


@FUNCTIONS
@pytest.mark.parametrize(
    ("restored", "target", "words"),
    [
        (GOOD + 0.6, GOOD, "the first photo spans 1.1 to 1.1"),
        (GOOD, GOOD - 0.6, "the second photo spans -0.1"),
        (GOOD * math.nan, GOOD, "spans nan"),
        (GOOD / 0, GOOD, "inf"),
        (GOOD[:, :, :11], GOOD, r"one shape; got \(1, 3, 11, 12\) and \(1, 3, 12, 12\)"),
        (GOOD[0], GOOD[0], r"\(N, 3, height, width\)"),
        (GOOD[:, :1], GOOD[:, :1], "repeat a grey photo"),
        (GOOD[:0], GOOD[:0], "N at least 1"),
        ((GOOD * 255).byte(), (GOOD * 255).byte(), "divide 8-bit values by 255"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(
    function, restored: Tensor, target: Tensor, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        function(restored, target)


def test_ssim_refuses_a_photo_smaller_than_its_window() -> None:
    with pytest.raises(InputError, match="at least 11 px on each side"):
        ssim_gauss11_rgb(torch.zeros(1, 3, 10, 12), torch.zeros(1, 3, 10, 12))


def test_every_metric_has_its_name_its_words_and_a_direction() -> None:
    assert PRIMARY in METRICS
    for name, metric in METRICS.items():
        assert metric.name == name
        assert len(metric.words) > 40
    assert METRICS["lpips_alex"].gain(restored=0.2, do_nothing=0.5) == pytest.approx(0.3)
    assert METRICS["psnr_rgb"].gain(restored=30.0, do_nothing=28.0) == pytest.approx(2.0)


def test_a_mistyped_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match='Did you mean "psnr_rgb"'):
        metric_named("psnr_rbg")
    with pytest.raises(InputError, match="ssim_gauss11_rgb"):
        measurable(["ssim"])


def test_naming_metrics_does_not_load_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, components.evaluate.config; print('torch' in sys.modules, 'cv2' in sys.modules,"
        " 'matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.split() == ["False", "False", "False"]
