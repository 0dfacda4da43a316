"""Turbulence: the statistics of Kolmogorov's air, the diffraction of a clean lens, and photos that
stay where they are.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import j1

from components.core.seeds import stream
from components.optics.blurs import Turbulence
from components.optics.blurs.drawn_blur import Kernel
from components.optics.blurs.phase_screen import PERIOD, SAMPLES, layer, psfs
from components.optics.blurs.turbulence import ThroughAir, side_px

LENS = (
    np.hypot(*np.meshgrid(np.arange(SAMPLES) - (SAMPLES - 1) / 2, np.arange(SAMPLES) - (SAMPLES - 1) / 2))
    <= SAMPLES / 2
)


def test_without_tilt_a_lens_keeps_noll_s_134_thousandths_of_a_square_radian() -> None:
    # Noll 1976, table IV: Δ₃ = 0.134 (D/r₀)^{5/3}, what is left of the phase's variance once its
    # mean and slopes are gone.
    y, x = np.nonzero(LENS)
    plane = np.stack([np.ones(x.size), x, y], axis=1)
    left = []
    for seed in range(12):
        phase = layer(stream(seed), 2.0).phase
        for row in range(0, PERIOD * SAMPLES, 2 * SAMPLES):
            for column in range(0, PERIOD * SAMPLES, 2 * SAMPLES):
                seen = phase[row : row + SAMPLES, column : column + SAMPLES][LENS]
                left.append(np.var(seen - plane @ np.linalg.lstsq(plane, seen, rcond=None)[0]))
    assert np.mean(left) == pytest.approx(0.134 * 2 ** (5 / 3), rel=0.08)


def test_power_falls_with_kolmogorov_s_eleven_thirds() -> None:
    side = PERIOD * SAMPLES
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(side, 1 / SAMPLES), np.fft.fftfreq(side, 1 / SAMPLES)))
    power = np.mean(
        [np.abs(np.fft.fft2(layer(stream(seed), 2.0).phase.astype(np.float64))) ** 2 for seed in range(4)],
        axis=0,
    )
    # From a wave a lens to eleven; nearer to the grid's end single precision and its corners count.
    seen = (waves >= 1) & (waves <= 11)
    slope = np.polyfit(np.log(waves[seen]), np.log(power[seen]), 1)[0]
    assert slope == pytest.approx(-11 / 3, abs=0.03)


def test_slopes_are_those_of_the_phase_averaged_over_the_lens() -> None:
    air = layer(stream(1), 2.0)
    down, across = np.gradient(air.phase.astype(np.float64), 1 / SAMPLES)
    half = SAMPLES // 2
    for row, column in ((100, 60), (40, 200), (128, 128)):
        over = np.s_[row - half : row + half, column - half : column + half]
        wanted = [across[over][LENS].mean() / (2 * math.pi), down[over][LENS].mean() / (2 * math.pi)]
        # A lens an even number of samples wide has its middle between four of them.
        found = air.slopes[:, row - 1 : row + 1, column - 1 : column + 1].mean(axis=(1, 2))
        assert found == pytest.approx(wanted, abs=0.02 * float(air.slopes.std()))


def test_stronger_air_is_the_same_air_with_larger_phases() -> None:
    # Phases grow with (D/r₀)^{5/6}.
    mild, strong = layer(stream(4), 1.0), layer(stream(4), 3.0)
    assert np.allclose(strong.phase, mild.phase * 3 ** (5 / 6), atol=1e-4)


def test_through_still_air_a_point_is_airy_s_disc() -> None:
    found = psfs(layer(stream(1), 0.0), np.zeros((1, 2), np.intp), 1.5, 15)[0]
    fine = 20
    grid = ((np.arange(15 * fine) + 0.5) / fine - 7.5) / 1.5
    angle = math.pi * np.hypot(*np.meshgrid(grid, grid))
    airy = (2 * j1(angle) / angle) ** 2
    wanted = airy.reshape(15, fine, 15, fine).sum(axis=(1, 3))
    assert np.abs(found - wanted / wanted.sum()).max() < 0.02 * found.max()


def test_nine_tenths_of_the_light_is_within_the_kernel() -> None:
    places = np.array([[row, column] for row in range(0, 256, 64) for column in range(0, 256, 64)])
    for strength in (0.0, 2.0, 5.0):
        side = side_px(strength, 2.0)
        wide = psfs(layer(stream(2), strength), places, 2.0, 61)
        edge = (61 - side) // 2
        assert wide[:, edge : 61 - edge, edge : 61 - edge].sum(axis=(1, 2)).mean() > 0.9


def test_the_photo_as_a_whole_stays_where_it_is() -> None:
    for seed in range(5):
        tilt = ThroughAir(seed, 4.0, 1.0, 150.0).tilt_px(200, 300)
        assert np.abs(tilt.mean(axis=(0, 1))).max() < 1e-4
        assert tilt.std() > 0.2


def test_neighbours_move_together_and_distant_places_apart() -> None:
    near, far = [], []
    for seed in range(20):
        tilt = ThroughAir(seed, 2.0, 1.0, 64.0).tilt_px(512, 512)[:, :, 0]
        near.append(np.corrcoef(tilt[:, :-8].ravel(), tilt[:, 8:].ravel())[0, 1])
        far.append(np.corrcoef(tilt[:, :-256].ravel(), tilt[:, 256:].ravel())[0, 1])
    assert np.mean(near) > 0.9
    assert abs(np.mean(far)) < 0.4


def test_a_bright_spot_goes_where_the_tilt_says() -> None:
    air = ThroughAir(3, 3.0, 1.0, 128.0)
    tilt = air.tilt_px(240, 320)
    y, x = np.ogrid[:240, :320]
    for row, column in ((60, 80), (120, 160), (170, 230)):
        spot = np.exp(-((x - column) ** 2 + (y - row) ** 2) / 4.0).astype(np.float32)
        blurred = air.apply(spot)[row - 30 : row + 31, column - 30 : column + 31]
        assert Kernel(blurred).centroid_px == pytest.approx(tilt[row, column], abs=0.15)


def test_beyond_its_period_the_air_repeats() -> None:
    air = ThroughAir(3, 2.0, 0.5, 32.0)
    period = PERIOD * 32
    tilt = air.tilt_px(40, 2 * period + 1)
    assert np.allclose(tilt[:, :-period], tilt[:, period:], atol=1e-3)


def test_the_same_air_over_a_larger_photo_has_the_same_middle() -> None:
    air = ThroughAir(6, 3.0, 0.8, 96.0)
    small, large = air.tilt_px(101, 121), air.tilt_px(201, 321)[50:151, 100:221]
    moved = small - large
    # Only the mean, which is taken over the photo, differs.
    assert moved.std(axis=(0, 1)).max() < 1e-3


def test_still_air_leaves_what_the_lens_does() -> None:
    air = ThroughAir(1, 0.0, 0.3, 100.0)
    photo = stream(1).random((90, 110, 3), dtype=np.float32)
    assert np.abs(air.apply(photo) - Kernel(air.psf).apply(photo)).max() < 1e-5


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"strength is \[5, 1\]: the smaller value comes first"):
        Turbulence(strength=(5.0, 1.0))
