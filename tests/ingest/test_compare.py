"""Shift and strength of a blur that only its result tells: against shifts and blurs that are known."""

from __future__ import annotations

import numpy as np
import pytest
from ingest_photos import picture
from pair_sets import blurred

from components.core.images import Bytes8, linear_of, linear_to_srgb, to_uint8
from components.core.seeds import stream
from components.ingest.pairs.compare import compared
from components.optics.blurs import Blur, Defocus, Gaussian, LinearMotion, RandomTrajectory
from components.optics.blurs.convolve import convolved
from components.optics.blurs.drawn_blur import Kernel


def scene(seed: int) -> Bytes8:
    """Structure of every size, as photos have it: energy falls with the square of the frequency."""
    rng = np.random.default_rng(seed)
    vertical, horizontal = np.meshgrid(np.fft.fftfreq(320), np.fft.rfftfreq(400), indexing="ij")
    spectrum = np.fft.rfft2(rng.normal(size=(320, 400))) / np.maximum(np.hypot(vertical, horizontal), 1 / 400)
    grey = np.fft.irfft2(spectrum, s=(320, 400))
    grey = (grey - grey.mean()) / grey.std() * 0.18 + 0.45
    return np.repeat(to_uint8(np.clip(grey, 0, 1))[:, :, None], 3, axis=2)


def noisy(pixels: Bytes8, seed: int) -> Bytes8:
    return np.clip(np.rint(pixels + np.random.default_rng(seed).normal(0, 2, pixels.shape)), 0, 255).astype(
        np.uint8
    )


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.4, -0.3), (-2.5, 1.25), (6.0, 5.0), (-11.3, 0.0)])
@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_a_known_shift_is_found_to_a_tenth_of_a_pixel_under_blur_and_noise(
    moved: tuple[float, float], sigma: float
) -> None:
    target = scene(3)
    found = compared(noisy(blurred(target, sigma=sigma, moved=moved), 1), target)
    assert found.shift_px == pytest.approx(moved, abs=0.1)
    assert found.likeness > 0.97


def test_the_centroid_of_an_uneven_blur_is_its_shift() -> None:
    target = scene(4)
    psf = np.zeros((1, 15), np.float32)
    psf[0, 7], psf[0, 13] = 0.75, 0.25
    soft = to_uint8(linear_to_srgb(convolved(linear_of(target), psf)))
    assert compared(soft, target).shift_px == pytest.approx((1.5, 0.0), abs=0.2)


def test_brightness_and_contrast_do_not_matter() -> None:
    target = scene(5)
    dim = to_uint8(
        linear_to_srgb(
            (0.1 + 0.6 * linear_of(blurred(target, sigma=3.0, moved=(2.0, 1.0)))).astype(np.float32)
        )
    )
    found = compared(dim, target)
    assert found.shift_px == pytest.approx((2.0, 1.0), abs=0.1)
    assert found.severity_px == pytest.approx(3 * np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.5, -0.4), (4.4, 3.5)])
def test_the_radius_of_a_gaussian_is_root_two_sigmas_wherever_it_lies(moved: tuple[float, float]) -> None:
    target = scene(6)
    for sigma in (1.0, 2.0, 5.0):
        assert compared(
            noisy(blurred(target, sigma=sigma, moved=moved), 2), target
        ).severity_px == pytest.approx(sigma * np.sqrt(2), rel=0.08)


def test_lamps_at_night_are_compared_in_light() -> None:
    # In stored values a lamp's glow is nearly as bright as the lamp: the blur would seem a fifth
    # wider, and the shift would be off by 0.1 px.
    target = (scene(12) // 6).astype(np.uint8)
    for row, column in np.random.default_rng(1).integers(20, 300, (40, 2)):
        target[row - 2 : row + 3, column - 2 : column + 3] = 250
    soft = blurred(target, sigma=3.0, moved=(1.5, 0.0))
    found = compared(soft, target)
    assert found.shift_px == pytest.approx((1.5, 0.0), abs=0.05)
    assert found.severity_px == pytest.approx(3 * np.sqrt(2), rel=0.05)


def test_measured_severity_is_that_of_the_drawn_blur() -> None:
    kinds: tuple[Blur, ...] = (RandomTrajectory(), LinearMotion(), Gaussian(), Defocus())
    true, found = [], []
    for seed in range(16):
        effect = kinds[seed % 4].draw([stream("severity", seed)])[0]
        assert isinstance(effect, Kernel)
        target = scene(20 + seed)
        soft = noisy(to_uint8(linear_to_srgb(np.clip(effect.apply(linear_of(target)), 0, 1))), seed)
        true.append(effect.severity_px)
        found.append(compared(soft, target).severity_px)
    assert np.corrcoef(true, found)[0, 1] > 0.99
    assert np.median(np.array(found) / np.array(true)) == pytest.approx(1.0, abs=0.06)


def test_the_same_picture_has_neither_shift_nor_blur() -> None:
    found = compared(scene(7), scene(7))
    assert (found.shift_px, found.likeness, found.severity_px) == ((0.0, 0.0), 1.0, 0.0)


def test_other_pictures_and_empty_ones_are_not_alike() -> None:
    assert compared(scene(8), scene(9)).likeness < 0.5
    grey = np.full((90, 120, 3), 99, np.uint8)
    assert (
        compared(grey, picture(1)).likeness
        == compared(picture(1), grey).likeness
        == compared(grey, grey).likeness
        == 0.0
    )
