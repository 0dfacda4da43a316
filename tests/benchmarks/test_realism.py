"""The statistics that compare real and made blur say what they should of pictures whose answer is
known.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from picture_statistics import (
    BINS,
    coherence,
    gradient_distance,
    mean_of,
    noise_of,
    radial_power,
    spectrum_distance,
    statistics_of,
)
from real_sets import ScoredPair
from realism import REAL, YARDSTICK, degradations, made, summary, table

from components.core.images import to_uint8
from components.core.seeds import stream
from components.optics.degradation import plans


def fractal(key: int, slope: float = -2.0, side: int = 256) -> np.ndarray:
    """A picture whose power falls as frequency to the slope, (side, side, 3) uint8."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = 1
    field = np.fft.irfft2(
        np.fft.rfft2(stream(key).standard_normal((side, side))) * frequency ** (slope / 2), s=(side, side)
    )
    field = (field - field.mean()) / field.std()
    return np.repeat(to_uint8(0.5 + 0.12 * field)[:, :, None], 3, axis=2)


def blurred(photo: np.ndarray, side: int = 9) -> np.ndarray:
    return cv2.blur(photo, (side, 1))


def test_the_slope_of_a_spectrum_is_found_again() -> None:
    for slope in (-2.0, -3.0):
        assert statistics_of(fractal(1, slope)).slope == pytest.approx(slope, abs=0.15)


def test_white_noise_has_the_same_power_at_every_frequency() -> None:
    power = radial_power(np.asarray(stream(2).standard_normal((256, 256))))
    assert power.shape == (63,)
    assert power.max() / power.min() < 3
    assert power[:8].mean() == pytest.approx(power[-20:].mean(), rel=0.2)


def test_noise_is_measured_in_flat_areas_whatever_lies_beside_them() -> None:
    ramp = np.repeat(np.linspace(60, 180, 256)[None], 256, axis=0)
    ramp[:, 128:] += 40 * np.sin(np.arange(128) * 1.5)  # busy half
    for sigma in (1.0, 3.0):
        assert noise_of(ramp + stream(3).normal(0, sigma, ramp.shape)) == pytest.approx(sigma, rel=0.1)
    assert noise_of(np.full((128, 128), 255.0)) == 0.0  # nothing but white: no block to measure in


def test_stripes_have_one_direction_and_noise_has_none() -> None:
    stripes = np.repeat(np.sin(np.arange(128) / 3)[None], 128, axis=0)
    assert coherence(stripes) == pytest.approx(1.0)
    assert coherence(np.asarray(stream(4).standard_normal((128, 128)))) < 0.1
    assert coherence(np.zeros((128, 128))) == 0.0


def test_clipped_and_steep_are_shares() -> None:
    step = np.full((128, 128, 3), 100, np.uint8)
    step[:, 64:] = (255, 90, 90)
    found = statistics_of(step)
    assert found.clipped == 0.5  # one channel at white is enough
    # Luma jumps in one of 127 columns of differences across, and in none of those down.
    assert found.steep == pytest.approx(128 / (2 * 127 * 128))


def test_gradient_distance_is_how_far_the_distribution_is_moved() -> None:
    photo = fractal(5)
    found = statistics_of(photo)
    assert gradient_distance(found, found) == spectrum_distance(found, found) == 0
    # Moving every value by ten bins moves the whole distribution by ten bins' width.
    moved = replace(found, gradients=np.roll(np.where(np.arange(512) < 400, found.gradients, 0), 10))
    base = replace(found, gradients=np.where(np.arange(512) < 400, found.gradients, 0))
    assert gradient_distance(moved, base) == pytest.approx(
        10 * (BINS[1] - BINS[0]) * base.gradients.sum(), rel=1e-6
    )


def test_blur_steepens_the_spectrum_takes_gradients_and_gives_a_direction() -> None:
    before, after = statistics_of(fractal(6)), statistics_of(blurred(fractal(6)))
    assert after.slope < before.slope
    assert after.fine < before.fine
    assert after.anisotropy > before.anisotropy + 0.2
    assert np.cumsum(after.gradients)[128] > np.cumsum(before.gradients)[128]


def test_the_mean_counts_each_photo_alike() -> None:
    one, two = statistics_of(fractal(7)), statistics_of(fractal(8, -3.0))
    assert mean_of([one, two]).slope == pytest.approx((one.slope + two.slope) / 2)


def test_the_table_names_the_arm_that_is_nearest() -> None:
    real, sharp = statistics_of(blurred(fractal(9))), statistics_of(fractal(9))
    rows = {
        YARDSTICK: sharp,
        "arm a: far": statistics_of(blurred(fractal(9), 3)),
        "arm b: near": statistics_of(blurred(fractal(10))),
    }
    text = table("set", real, (real, real), rows)
    assert text[4].startswith(f"| {REAL} |  |  |")
    assert text[5].startswith("| real, one half against the other | 0.000 | 0.000 |")
    assert text[-2] == "Nearest arm by gradients: arm b: near; by spectrum: arm b: near."


def test_the_summary_is_a_share_of_doing_nothings_distance() -> None:
    real, sharp = statistics_of(blurred(fractal(9))), statistics_of(fractal(9))
    lines = summary({"set": {REAL: real, YARDSTICK: sharp, "arm a: as sharp": sharp, "arm b: as real": real}})
    assert lines[4:6] == ["| arm a: as sharp | 1.00 / 1.00 |", "| arm b: as real | 0.00 / 0.00 |"]


def test_arms_are_compared_on_the_same_blurs() -> None:
    compared = degradations(["demo"], kinds=True)
    assert {"arm a: sRGB blur, no noise", "recipe demo", "kind gaussian"} <= set(compared)
    arms = [plans(each, [1, 2, 3]) for name, each in compared.items() if name.startswith("arm")]
    assert all(
        [plan.effect.drawn for plan in drawn] == [plan.effect.drawn for plan in arms[0]] for drawn in arms
    )
    photos = made(compared["arm b: linear light"], [("grey", fractal(11))], 2)
    assert [photo.shape for photo in photos] == [(256, 256, 3)] * 2
    assert not np.array_equal(*photos)
    assert (photos[0] == photos[0][:, :, :1]).all()


def test_levin_as_srgb_keeps_black_and_white_and_lifts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    import real_sets

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2).reshape(16, 16, 3)
    monkeypatch.setattr(
        real_sets, "levin", lambda data: [ScoredPair("levin", "ramp", ramp, ramp, shifted=True)]
    )
    pair = real_sets.levin_srgb(Path())[0]
    # Level 26 is 0.102 of the light; 255 (1.055 · 0.102^(1/2.4) − 0.055) = 89.9.
    assert [int(pair.target.reshape(-1, 3)[level, 0]) for level in (0, 26, 255)] == [0, 90, 255]
    assert (pair.group, pair.shifted) == ("levin_srgb", True)
