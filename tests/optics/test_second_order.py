"""Real-ESRGAN's degradation: kernels keep light, steps follow each other as published, the same seed
gives the same photo.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from components.core.images import linear_of, linear_to_srgb, to_float, to_uint8
from components.core.seeds import stream
from components.optics.downscale import Downscale, Downscaling, SecondOrder
from components.optics.downscale.kernels import KernelDraw, RandomKernel, Shapes, gaussian_taps, sinc_taps
from components.optics.downscale.rounds import NoiseDraw, Resize, RoundDraw
from components.optics.downscale.second_order import TwoRounds
from components.optics.downscale.steps import (
    compressed,
    filtered,
    resized,
    unsharp_masked,
    with_gaussian,
    with_poisson,
)

DRAWS = 4000
QUIET = RoundDraw(None, 1.0, "area", NoiseDraw("gaussian", 0.0, True), 100)


@cache
def draws() -> list[TwoRounds]:
    return [SecondOrder().draw(seed) for seed in range(DRAWS)]


def test_kernels_keep_light_and_only_the_sinc_has_negative_lobes() -> None:
    kernels = [RandomKernel(sinc=0.3).draw(stream(7, index)) for index in range(300)]
    assert {kernel.profile for kernel in kernels} == {"gaussian", "generalised", "plateau", "sinc"}
    for kernel in kernels:
        taps = kernel.taps()
        assert taps.shape == (kernel.side_px, kernel.side_px)
        assert taps.dtype == np.float32
        assert float(taps.sum(dtype=np.float64)) == pytest.approx(1, abs=1e-5)
        assert (taps.min() >= 0) == (kernel.profile != "sinc") or kernel.cutoff_rad == pytest.approx(
            math.pi, abs=0.2
        )
        # No shift: a kernel looks the same from the opposite side.
        assert np.allclose(taps, taps[::-1, ::-1], atol=1e-7)


def test_a_gaussian_has_its_widths_along_its_turned_axes() -> None:
    taps = gaussian_taps(41, (3.0, 1.5), math.pi / 2, "gaussian", 1.0).astype(np.float64)
    away = np.arange(41) - 20
    # A quarter turn lays the first width along y, down the rows.
    assert math.sqrt(taps.sum(1) @ away**2) == pytest.approx(3.0, rel=1e-3)
    assert math.sqrt(taps.sum(0) @ away**2) == pytest.approx(1.5, rel=1e-3)
    leaning = gaussian_taps(41, (4.0, 1.0), math.pi / 4, "gaussian", 1.0)
    assert leaning[25, 25] > 100 * leaning[15, 25]  # x and y grow together


def test_the_relatives_fall_as_their_formulas_say() -> None:
    # Two px from the middle at width 1: q = 4. Plateau with beta 2: 1 / (1 + 16); generalised with
    # beta 0.5: exp(-1).
    plateau, pointed = (
        gaussian_taps(11, (1.0, 1.0), 0.0, "plateau", 2.0),
        gaussian_taps(11, (1.0, 1.0), 0.0, "generalised", 0.5),
    )
    assert plateau[5, 7] / plateau[5, 5] == pytest.approx(1 / 17, rel=1e-5)
    assert pointed[5, 7] / pointed[5, 5] == pytest.approx(math.exp(-1), rel=1e-5)


def test_a_sinc_keeps_what_is_below_its_cutoff_and_takes_the_rest() -> None:
    response = np.abs(
        np.fft.fft2(np.pad(sinc_taps(63, math.pi / 2).astype(np.float64), ((0, 193), (0, 193))))
    )
    # Frequency index 64 of 256 is π / 2.
    assert response[0, :45] == pytest.approx(1, abs=0.1)
    assert response[0, 90:128].max() < 0.1


@pytest.mark.parametrize("shape", [(64, 64, 3), (97, 130, 3), (64, 96)])
@pytest.mark.parametrize("scale", [2, 4])
def test_sizes_are_exact_and_values_are_levels_of_a_file(shape: tuple[int, ...], scale: int) -> None:
    light = SecondOrder(scale=scale).cut(np.asarray(stream(1).random(shape), np.float32))
    for seed in range(12):
        small = SecondOrder(scale=scale).draw(seed).apply(light, linear=False)
        assert small.shape == (shape[0] // scale, shape[1] // scale, *shape[2:])
        assert small.dtype == np.float32
        assert np.array_equal(to_float(to_uint8(small)), small)


@pytest.mark.parametrize("jpeg_last", [True, False])
def test_the_steps_follow_each_other_as_published(jpeg_last: bool) -> None:
    first = RoundDraw(
        KernelDraw("gaussian", 9, (1.5, 0.8), 0.4), 0.7, "area", NoiseDraw("gaussian", 9.0, False), 50
    )
    second = RoundDraw(
        KernelDraw("gaussian", 7, (0.9, 0.9)), 1.1, "bilinear", NoiseDraw("poisson", 1.5, False), 40
    )
    sinc = KernelDraw("sinc", 11, cutoff_rad=1.6)
    photo = to_float(stream(1).integers(0, 256, (80, 120, 3), dtype=np.uint8))
    picture = photo
    # Sizes: 0.7 of the photo; then 1.1 of a quarter of the photo, rounded down; then a quarter.
    for name, drawn, (height, width), noisy in (
        ("first", first, (56, 84), with_gaussian),
        ("second", second, (22, 33), with_poisson),
    ):
        assert drawn.kernel is not None
        picture = resized(filtered(picture, drawn.kernel.taps()), height, width, drawn.mode)
        picture = noisy(picture, drawn.noise.amount, False, stream(7, "second order", name, "noise field"))
        if name == "first":
            picture = compressed(picture, 50)
    if jpeg_last:
        picture = compressed(filtered(resized(picture, 20, 30, "bicubic"), sinc.taps()), 40)
    else:
        picture = filtered(resized(compressed(picture, 40), 20, 30, "bicubic"), sinc.taps())
    made = TwoRounds(7, 4, first, second, sinc, "bicubic", jpeg_last).apply(photo, linear=False)
    assert np.array_equal(to_uint8(made), to_uint8(picture))


def test_the_same_seed_gives_the_same_photo_and_another_another() -> None:
    light = np.asarray(stream(1).random((96, 96, 3)), np.float32)
    made = [SecondOrder().draw(seed).apply(light) for seed in (3, 3, 4)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_no_part_of_a_photo_is_made_as_the_whole_and_it_says_so() -> None:
    assert (
        SecondOrder().reach,
        SecondOrder().draw(1).reach,
        Downscale().reach,
        Downscale().draw(1).reach,
    ) == (None, None, 2, 2)


def test_brightness_is_kept_on_average() -> None:
    grey = np.full((128, 128, 3), 0.5, np.float32)
    means = [SecondOrder().draw(seed).apply(grey, linear=False).mean() for seed in range(60)]
    assert np.mean(means) == pytest.approx(0.5, abs=0.003)
    assert max(abs(mean - 0.5) for mean in means) < 0.03


def test_linear_light_is_taken_as_srgb_values_and_given_back() -> None:
    pixels = stream(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    draw = SecondOrder().draw(5)
    stored = draw.apply(to_float(pixels), linear=False)
    assert (
        np.abs(
            to_uint8(linear_to_srgb(draw.apply(linear_of(pixels), linear=True))).astype(int)
            - to_uint8(stored)
        ).max()
        <= 2
    )


def test_gaussian_noise_has_its_standard_deviation_and_grey_noise_is_the_same_in_all_channels() -> None:
    middle = np.full((300, 300, 3), 0.5, np.float32)
    coloured, grey = (with_gaussian(middle, 10.0, alike, stream(1)) - 0.5 for alike in (False, True))
    assert coloured.std() * 255 == pytest.approx(10, rel=0.02)
    assert np.corrcoef(coloured[:, :, 0].ravel(), coloured[:, :, 1].ravel())[0, 1] == pytest.approx(
        0, abs=0.02
    )
    assert np.array_equal(grey[:, :, 0], grey[:, :, 2])


def test_poisson_noise_is_that_of_256_photons_times_its_strength() -> None:
    # Half of white is 128 photons, give or take √128: 0.0442 of white; at strength 2 twice that.
    middle = np.full((300, 300, 3), 0.5, np.float32)
    for grey in (False, True):
        noise = with_poisson(middle, 2.0, grey, stream(1)) - 0.5
        assert noise.std() == pytest.approx(2 * math.sqrt(128) / 256, rel=0.02)
        assert np.array_equal(noise[:, :, 0], noise[:, :, 1]) == grey


def test_sizes_change_by_opencvs_rules() -> None:
    ramp = np.repeat(np.arange(8, dtype=np.float32)[None], 8, axis=0) / 8
    assert resized(ramp, 4, 4, "area")[0].tolist() == pytest.approx([0.5 / 8, 2.5 / 8, 4.5 / 8, 6.5 / 8])
    assert np.array_equal(
        resized(ramp, 2, 2, "bicubic"), cv2.resize(ramp, (2, 2), interpolation=cv2.INTER_CUBIC)
    )


def test_severity_is_that_of_the_kernels_at_their_sizes_and_of_pixels_too_large() -> None:
    def severity(first: RoundDraw, second: RoundDraw = QUIET) -> float:
        return TwoRounds(0, 4, first, second, None, "area", True).severity_px

    wide = KernelDraw("gaussian", 21, (2.0, 2.0))
    assert severity(QUIET) == 0
    # Two px each way make 2√2; after a shrink to half the size they are four px of the photo.
    assert severity(RoundDraw(wide, 1.0, "area", QUIET.noise, 95)) == pytest.approx(
        2 * math.sqrt(2), rel=0.01
    )
    halved = RoundDraw(None, 0.5, "area", QUIET.noise, 95)
    assert severity(halved, RoundDraw(wide, 1.0, "area", QUIET.noise, 95)) == pytest.approx(
        4 * math.sqrt(2), rel=0.01
    )
    # An eighth of the size where a quarter is wanted: pixels of 2 × 2, (4 − 1) / 6 px² of the small
    # photo, 16 times that of the large one.
    assert severity(RoundDraw(None, 0.125, "area", QUIET.noise, 95)) == pytest.approx(math.sqrt(16 * 3 / 6))
    middle = np.percentile([draw.severity_px for draw in draws()], [10, 50, 90])
    assert 1.5 < middle[0] < 3 < middle[1] < 5 < middle[2] < 9


def test_sharpening_raises_edges_and_leaves_flat_areas() -> None:
    step = np.full((120, 120, 3), 80, np.uint8)
    step[:, 60:] = 160
    sharper = unsharp_masked(step, 51, 0.5, 10.0).astype(int)
    # At the edge the blurred photo is halfway: half of 40 levels is added, but for the soft mask.
    assert 10 < sharper[60, 60, 0] - 160 <= 20
    assert 10 < 80 - sharper[60, 59, 0] <= 20
    faint = np.full((120, 120, 3), 80, np.uint8)
    faint[:, 60:] = 88
    assert np.array_equal(unsharp_masked(faint, 51, 0.5, 10.0), faint)


def test_a_downscale_without_a_kind_is_the_plain_one() -> None:
    adapter: TypeAdapter[Downscaling] = TypeAdapter(Downscaling)
    assert adapter.validate_python({"scale": 3, "kernel": "bilinear_plain"}) == Downscale(
        scale=3, kernel="bilinear_plain"
    )
    assert adapter.validate_python({"kind": "second_order", "scale": 4}) == SecondOrder()
    assert adapter.validate_python(SecondOrder().model_dump(mode="json")) == SecondOrder()
    with pytest.raises(ValidationError, match="'plain', 'second_order'"):
        adapter.validate_python({"kind": "third_order"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"first": {"kernel": {"side_px": [8, 21]}}}, "give odd ends"),
        ({"first": {"kernel": {"beta_plateau": [1.5, 2]}}}, "let the range hold 1"),
        ({"first": {"kernel": {"sigma_px": [3, 2]}}}, "sigma_px is .* the smaller value comes first"),
        ({"second": {"resize": {"factor": [1.1, 1.2]}}}, "begins at or below 1 and ends at or above"),
        ({"second": {"resize": {"up": 0, "down": 0, "keep": 0}}}, "all have chance 0"),
        ({"second": {"jpeg": [95, 30]}}, "jpeg is .* the smaller value comes first"),
        ({"usm": {"side_px": 50}}, "give an odd number"),
        ({"kernel": "bicubic"}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SecondOrder.model_validate(settings)


def test_shapes_without_any_chance_are_refused() -> None:
    with pytest.raises(ValidationError, match="every shape has chance 0"):
        Shapes(round=0, long=0, round_generalised=0, long_generalised=0, round_plateau=0, long_plateau=0)
    assert Resize(up=0, down=0, keep=1).draw(stream(1))[0] == 1.0
