"""Zoom and spin: the same as averaging many resampled photos, nothing at their centre, streaks in
the right direction.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import affine_transform, gaussian_filter
from spots import local_severity_px

from components.core.seeds import stream
from components.optics.blurs import Spin, Zoom
from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.blurs.radial import Turn

TURNS = [pytest.param(1, id="zoom"), pytest.param(1j, id="spin")]


def soft_photo(height: int, width: int) -> Floats:
    return gaussian_filter(stream(1).random((height, width)), 2.0, mode="mirror").astype(np.float32)


@pytest.mark.parametrize("along", TURNS)
@pytest.mark.parametrize("streak_px", [0.0, 3.0, 24.0])
def test_it_is_the_mean_of_many_photos_turned(along: complex, streak_px: float) -> None:
    photo, centre = soft_photo(140, 200), 0.2 - 0.1j
    half_diagonal = math.hypot(139, 199) / 2
    about = np.array([69.5, 99.5]) + np.array([centre.imag, centre.real]) * half_diagonal  # row, column
    mean = np.zeros(photo.shape)
    for time in (np.arange(64) + 0.5) / 32 - 1:
        turn = cmath.exp(along * streak_px / (2 * half_diagonal) * time)
        matrix = np.array([[turn.real, turn.imag], [-turn.imag, turn.real]])
        mean += (
            affine_transform(photo.astype(np.float64), matrix, about - matrix @ about, order=3, mode="mirror")
            / 64
        )
    found = Turn(along, streak_px, centre, {}).apply(photo)
    assert np.abs(found - mean).max() < 0.01 * np.ptp(photo)


@pytest.mark.parametrize("along", TURNS)
def test_the_centre_stays_sharp(along: complex) -> None:
    photo = soft_photo(101, 141)
    assert Turn(along, 20.0, 0j, {}).apply(photo)[50, 70] == pytest.approx(photo[50, 70], abs=1e-6)
    assert Turn(along, 20.0, 0j, {}).psf.tolist() == [[1.0]]


def test_a_zoom_runs_outwards_and_a_spin_around() -> None:
    spot = np.zeros((201, 301), np.float32)
    spot[100, 250] = 1.0  # 100 px to the right of the centre, which is 180 px from the corners
    for along, axis in ((1, 1), (1j, 0)):
        lit = np.argwhere(Turn(along, 18.0, 0j, {}).apply(spot) > 0.01)
        extent = np.ptp(lit, axis=0) + 1
        assert 9 <= extent[axis] <= 13
        assert extent[1 - axis] <= 3


@pytest.mark.parametrize("along", TURNS)
@pytest.mark.parametrize("centre", [0j, 0.25 + 0.15j])
def test_severity_is_the_mean_over_photos_of_any_shape(along: complex, centre: complex) -> None:
    for rows, columns in ((6, 10), (9, 7)):
        effect = Turn(along, 20.0, centre, {})
        assert effect.severity_px == pytest.approx(local_severity_px(effect, rows, columns), rel=0.03)


@pytest.mark.parametrize("kind", [Zoom, Spin])
def test_the_kernel_in_the_photo_s_middle_is_a_line_as_long_as_the_centre_is_away(kind: type[Zoom]) -> None:
    effect = kind(streak_px=(40.0, 40.0), off_centre=(0.5, 0.5)).draw([stream(1)])[0]
    assert Kernel(effect.psf).severity_px == pytest.approx(
        math.hypot(20 / math.sqrt(12), math.sqrt(1 / 3)), rel=0.02
    )


def test_a_grey_photo_may_have_its_one_channel() -> None:
    photo = soft_photo(80, 90)
    assert np.array_equal(
        Turn(1, 9.0, 0j, {}).apply(photo[:, :, None])[:, :, 0], Turn(1, 9.0, 0j, {}).apply(photo)
    )


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"streak_px is \[9, 3\]: the smaller value comes first"):
        Zoom(streak_px=(9.0, 3.0))
