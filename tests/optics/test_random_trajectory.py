"""The random trajectory: statistics of the original, what its settings do, and what it refuses."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from components.core.seeds import stream
from components.optics.blurs import RandomTrajectory
from components.optics.blurs.drawn_blur import Kernel
from components.optics.blurs.exact_splat import exact_splat, fraction_bits
from components.optics.blurs.random_trajectory import _turns
from components.optics.blurs.splat import splatted
from components.optics.blurs.trajectory_simulation import TOGETHER_FROM, UNIT_BITS, walked

MANY = 1500


def drawn(count: int = MANY, **settings: object) -> list[Kernel]:
    return RandomTrajectory.model_validate(settings).kernels([stream(3, index) for index in range(count)])


def extents(psfs: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.int_]:
    """Width and height of what is lit."""
    return np.array([[np.ptp(np.flatnonzero(psf.any(axis=axis))) + 1 for axis in (0, 1)] for psf in psfs])


@pytest.fixture(scope="module")
def original() -> ModuleType:
    """The plain-Python port that the benchmark measures against."""
    path = Path(__file__).parents[2] / "benchmarks" / "plain_trajectory.py"
    spec = importlib.util.spec_from_file_location("plain_trajectory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_statistics_are_those_measured_on_the_original() -> None:
    # 60 kernels of the original, full exposure: 117 lit pixels, 15 × 14 px on average; a mean over
    # 60 spreads by about 8 %.
    full = drawn(exposures=[1.0])
    assert np.mean([np.count_nonzero(kernel.psf) for kernel in full]) == pytest.approx(117, rel=0.1)
    assert extents([kernel.psf for kernel in full]).mean() == pytest.approx(14.5, rel=0.2)
    # 1999 steps, each with 0.007 · 0.1 on average; the 60 had 1.1, give or take 0.2.
    assert np.mean([kernel.drawn["big_shakes"] for kernel in full]) == pytest.approx(1.4, abs=0.15)


def test_statistics_are_those_of_a_plain_port(original: ModuleType) -> None:
    walks = [original.trajectory(np.random.default_rng(index)) for index in range(160)]
    theirs = [original.psfs(walk, (1.0,))[0] for walk in walks]
    ours = drawn(exposures=[1.0], centred=False)
    assert np.mean([np.count_nonzero(kernel.psf) for kernel in ours]) == pytest.approx(
        np.mean([np.count_nonzero(psf) for psf in theirs]), rel=0.05
    )
    assert extents([kernel.psf for kernel in ours]).mean() == pytest.approx(extents(theirs).mean(), rel=0.15)
    assert np.mean([kernel.drawn["big_shakes"] for kernel in ours]) == pytest.approx(
        np.mean([walk.big_shakes for walk in walks]), abs=0.4
    )
    assert np.mean([kernel.severity_px for kernel in ours]) == pytest.approx(
        np.mean([Kernel(psf).severity_px for psf in theirs]), rel=0.15
    )
    # Every walk is 60 px long, however it turns.
    part = RandomTrajectory()
    path, _ = walked([part._drawn(stream(3, 1)).shake], part._step_px)
    places = path[:, 0, 0] + 1j * path[:, 1, 0]
    assert np.abs(np.diff(places)).sum() / (1 << UNIT_BITS) == pytest.approx(
        np.abs(np.diff(walks[0].places)).sum(), rel=1e-3
    )
    assert np.abs(np.diff(walks[0].places)).sum() == pytest.approx(60)
    # The port's canvas has no middle pixel; offsets are seen from pixel 32 of 64, half a pixel
    # beyond its middle.
    shifts = [np.subtract(Kernel(psf).centroid_px, 0.5) for psf in theirs]
    assert np.mean([np.hypot(*kernel.centroid_px) for kernel in ours]) == pytest.approx(
        np.mean([np.hypot(*shift) for shift in shifts]), rel=0.2
    )


def test_both_ways_to_walk_agree_bit_for_bit() -> None:
    for settings in ({}, {"centred": False}, {"steps": 300, "max_len_px": 40.0, "exposures": [0.33, 0.9]}):
        blur = RandomTrajectory.model_validate(settings)
        together = blur.kernels([stream("walk", index) for index in range(12 * TOGETHER_FROM)])
        for index in range(0, len(together), 5):
            alone = blur.kernel(stream("walk", index))
            assert np.array_equal(alone.psf, together[index].psf)
            assert alone.drawn == together[index].drawn


def test_big_shakes_come_as_if_every_step_were_tried() -> None:
    # The chance that none of 50 steps is shaken is 0.98^50 = 0.364, that the first one is, 0.02;
    # 16000 draws spread by 0.004 and 0.0011.
    drawn = [_turns(stream("turns", index), 50, 0.02) for index in range(16000)]
    assert np.mean([not turns for turns in drawn]) == pytest.approx(0.364, abs=0.012)
    assert np.mean([bool(turns) and turns[0][0] == 0 for turns in drawn]) == pytest.approx(0.02, abs=0.0035)
    assert np.mean([len(turns) for turns in drawn]) == pytest.approx(1.0, abs=0.05)
    assert all(
        step < 50 and abs(complex(real - 1, imaginary)) == pytest.approx(2)
        for turns in drawn
        for step, real, imaginary in turns
    )


def test_the_exact_splat_is_the_bilinear_splat() -> None:
    places = stream("places").uniform(-6, 6, (300, 2, 3))
    whole = np.rint(places * 2**UNIT_BITS).astype(np.int32)
    kernels = exact_splat(whole, np.zeros((2, 3), np.int32))
    for index, kernel in enumerate(kernels):
        wanted = splatted(places[None, :, :, index], np.full(300, 1 / 300))[0]
        middle, (rows, columns) = len(wanted) // 2, (side // 2 for side in kernel.shape)
        assert np.allclose(
            kernel,
            wanted[middle - rows : middle + rows + 1, middle - columns : middle + columns + 1],
            atol=2e-6,
        )
        assert float(kernel.astype(np.float64).sum()) == pytest.approx(1, abs=1e-6)


def test_a_sample_between_pixels_shares_its_light_by_hand() -> None:
    # A quarter px right, half a px down: 0.75 and 0.25 across, halves down.
    place = np.array([[[2**18], [2**19]], [[2**18], [2**19]]], np.int32)
    assert exact_splat(place, np.zeros((2, 1), np.int32))[0].tolist() == [
        [0, 0, 0],
        [0, 0.375, 0.125],
        [0, 0.375, 0.125],
    ]


@pytest.mark.parametrize("samples", [2, 2000, 20001])
def test_packed_sums_never_overflow(samples: int) -> None:
    # The most that fields can hold: every sample in one corner of a pixel, as far in as fractions
    # go.
    place = np.full((samples, 2, 1), 2**UNIT_BITS - 1 - 2 ** (UNIT_BITS - fraction_bits(samples)), np.int32)
    kernel = exact_splat(place, np.zeros((2, 1), np.int32))[0].astype(np.float64)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert kernel[2, 2] == pytest.approx(float(place[0, 0, 0] / 2**UNIT_BITS) ** 2, abs=1e-3)


def test_a_centred_kernel_moves_nothing() -> None:
    assert max(abs(shift) for kernel in drawn() for shift in kernel.centroid_px) < 1e-4


def test_the_original_offset_is_kept_on_request() -> None:
    # Measured on 60 kernels of the original: 1.4 px on average.
    offsets = [np.hypot(*kernel.centroid_px) for kernel in drawn(centred=False, exposures=[1.0])]
    assert np.mean(offsets) == pytest.approx(1.5, abs=0.35)


def test_longer_exposure_blurs_more() -> None:
    severity = [
        np.mean([kernel.severity_px for kernel in drawn(300, exposures=[share])])
        for share in (0.1, 0.25, 0.5, 1.0)
    ]
    assert severity == sorted(severity)
    assert severity[-1] > 2 * severity[0]


def test_a_longer_path_blurs_more() -> None:
    severity = [
        np.mean([kernel.severity_px for kernel in drawn(300, max_len_px=length)])
        for length in (5, 15, 30, 60)
    ]
    assert severity == sorted(severity)
    assert severity[-1] > 2 * severity[0]


def test_a_straight_path_has_its_length() -> None:
    # A hand this calm draws a straight line of 30 px: RMS radius 30 / √12.
    calm = drawn(20, anxiety=[1e-9], exposures=[1.0], max_len_px=30)
    for kernel in calm:
        assert kernel.severity_px == pytest.approx(30 / np.sqrt(12), rel=0.01)


@pytest.mark.parametrize("centred", [True, False])
def test_the_longest_path_fits(centred: bool) -> None:
    for kernel in drawn(200, anxiety=[1e-9], exposures=[1.0], max_len_px=60, centred=centred):
        assert max(kernel.psf.shape) <= 65
        assert float(kernel.psf.astype(np.float64).sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_len_px": 61}, "must fit canvas_px 64"),
        ({"steps": 100}, "leaves gaps"),
        ({"exposures": []}, "at least 1 item"),
        ({"exposures": [1.5]}, "less than or equal to 1"),
        ({"anxiety": [0.0]}, "greater than 0"),
        ({"weight": 0}, "greater than 0"),
        ({"max_length": 60}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RandomTrajectory.model_validate(settings)
