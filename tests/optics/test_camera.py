"""What the camera adds: noise of the stated variance, sRGB without loss, JPEG, and every step off."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from components.core.images import Picture, linear_to_srgb
from components.core.seeds import stream
from components.optics.blurs import NoBlur
from components.optics.blurs.drawn_blur import Kernel
from components.optics.camera import Camera
from components.optics.codec import Jpeg
from components.optics.degradation import plans
from components.optics.light import light_of, shrunk_size, stored
from components.optics.noise import normal_field
from components.optics.sensor_noise import NoiseLevel, PoissonGaussian
from components.synthesize.config import SynthesizeConfig

OFF = {"noise": None, "jpeg": None}


def picture(pixels: np.ndarray, channels: int = 3) -> Picture:
    return Picture(pixels, 3 if channels == 3 else 1, 8 if pixels.dtype == np.uint8 else 16, "PNG")


def test_noise_has_the_variance_of_the_model() -> None:
    # Dark, middle and white: shot · light + read = 1e-5, 5.1e-4, 1.01e-3. A variance from 250,000
    # draws spreads by 0.3 %.
    noise = NoiseLevel(shot=1e-3, read=1e-5)
    for level in (0.0, 0.5, 1.0):
        light = np.full((500, 500), level, np.float32)
        error = noise.added(light, normal_field(int(10 * level), 500, 500, channels=1)[:, :, 0]) - light
        assert error.var() == pytest.approx(1e-3 * level + 1e-5, rel=0.02)
        assert abs(error.mean()) < 4 * np.sqrt((1e-3 * level + 1e-5) / light.size)


def test_light_a_little_below_black_has_the_noise_of_black() -> None:
    # A Fourier transform and a cubic kernel leave such light.
    light, normals = np.array([-0.5, -1e-6, 0.0], np.float32), np.array([2.0, 2.0, 2.0], np.float32)
    assert NoiseLevel(0.1, 1e-4).added(light, normals) == pytest.approx(light + 0.02, abs=1e-6)


def test_noise_parameters_are_log_uniform_in_their_ranges() -> None:
    levels = [
        PoissonGaussian(shot=(1e-5, 1e-3), read=(1e-6, 1e-6)).draw(stream(index)) for index in range(2000)
    ]
    assert all(1e-5 <= level.shot <= 1e-3 and level.read == pytest.approx(1e-6) for level in levels)
    assert np.mean([np.log10(level.shot) for level in levels]) == pytest.approx(-4, abs=0.05)


def test_iso_gain_multiplies_shot_noise_and_squares_on_read_noise() -> None:
    plain = [PoissonGaussian().draw(stream(index)) for index in range(300)]
    loud = [PoissonGaussian(gain=(1, 16)).draw(stream(index)) for index in range(300)]
    for quiet, noisy in zip(plain, loud, strict=True):
        assert (noisy.shot, noisy.read) == pytest.approx(
            (quiet.shot * noisy.gain, quiet.read * noisy.gain**2)
        )
    assert {level.gain for level in plain} == {1.0}
    assert 1 <= min(level.gain for level in loud) < 1.2
    assert np.mean([np.log2(level.gain) for level in loud]) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("linear", [True, False])
def test_every_stored_level_comes_back_as_itself(linear: bool) -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(stored(light_of(picture(levels), linear=linear), linear=linear), levels)


def test_storing_light_is_within_a_hair_of_exact_rounding() -> None:
    light = np.linspace(0, 1, 300_001, dtype=np.float32)[:, None]
    exact = linear_to_srgb(light)[:, :, None] * 255.0
    assert np.abs(stored(light, linear=True) - exact).max() < 0.53


def test_light_outside_the_range_is_clipped() -> None:
    light = np.array([[-0.2, 0.0, 1.0, 1.7]], np.float32)
    assert stored(light, linear=True)[0, :, 0].tolist() == [0, 0, 255, 255]


def test_half_black_half_white_is_188_in_linear_light_and_128_in_srgb() -> None:
    # Half the light of white is 0.5, and sRGB stores 0.5 as 1.055 · 0.5^(1/2.4) − 0.055 = 0.7354,
    # level 188.
    stripes = np.zeros((20, 20, 3), np.uint8)
    stripes[:, 1::2] = 255
    half = Kernel(np.array([[0.25, 0.5, 0.25]], np.float32))
    for linear, level in ((True, 188), (False, 128)):
        blurred = stored(half.apply(light_of(picture(stripes), linear=linear)), linear=linear)
        assert set(np.unique(blurred).tolist()) == {level}


def test_a_sixteen_bit_photo_keeps_its_brightness() -> None:
    pixels = np.full((20, 20, 3), 32768, np.uint16)
    assert set(np.unique(stored(light_of(picture(pixels), linear=True), linear=True)).tolist()) == {128}


def test_a_grey_photo_stays_grey_through_noise_and_jpeg() -> None:
    pixels = np.repeat(stream(0).integers(0, 256, (40, 50, 1), dtype=np.uint8), 3, axis=2)
    config = SynthesizeConfig(blurs=(NoBlur(),))
    blurred = plans(config.degradation, [1])[0].blurred(light_of(picture(pixels, 1), linear=True))
    assert np.array_equal(blurred[:, :, 0], blurred[:, :, 1])
    assert np.array_equal(blurred[:, :, 0], blurred[:, :, 2])
    assert not np.array_equal(blurred, pixels)


def test_with_every_step_off_nothing_changes() -> None:
    pixels = stream(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    config = SynthesizeConfig.model_validate({"blurs": [{"kind": "none"}], "camera": OFF})
    plan = plans(config.degradation, [1])[0]
    assert np.array_equal(plan.blurred(light_of(picture(pixels), linear=True)), pixels)
    off = {"highlights": None, "sensor": None, "noise": None, "jpeg_quality": None, "webp_quality": None}
    assert plan.drawn == {"blur": {}, "linear_light": True, **off, "bits": 8}


def test_turning_one_step_off_changes_no_other_draw() -> None:
    every, quiet = (
        plans(SynthesizeConfig(camera=camera).degradation, [5])[0]
        for camera in (Camera(), Camera(noise=None))
    )
    assert quiet.drawn["jpeg_quality"] == every.drawn["jpeg_quality"]
    assert quiet.drawn["blur"] == every.drawn["blur"]


def test_jpeg_qualities_reach_both_ends() -> None:
    assert {Jpeg(quality=(90, 92)).draw(stream(index)) for index in range(60)} == {90, 91, 92}


def test_a_large_photo_is_shrunk_by_averaging_light() -> None:
    # A black and a white column make one of half the light: level 188.
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[:, 1::2] = 255
    small = light_of(picture(pixels), linear=True, max_side_px=60)
    assert small.shape == (30, 60, 3)
    assert set(np.unique(stored(small, linear=True)).tolist()) == {188}


def test_the_longer_side_decides_how_much_a_photo_shrinks() -> None:
    assert shrunk_size(300, 4000, 1000) == (75, 1000)
    assert shrunk_size(10, 10, None) == (10, 10)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noise": {"shot": [1e-3, 1e-4]}}, "shot is .* the smaller value comes first"),
        ({"noise": {"read": [0, 1e-4]}}, "greater than 0"),
        ({"jpeg": {"quality": [95, 80]}}, "quality is .* the smaller value comes first"),
        ({"jpeg": {"quality": [95, 101]}}, "less than or equal to 100"),
        ({"jpg": None}, "Extra inputs"),
        ({"noise": {"gain": [4, 2]}}, r"gain is \[4, 2\]: the smaller value comes first"),
        (
            {"noise": {"gain": [1, 100]}},
            "read reaches a variance of 0.2 at gain 100, at most 0.1 is a picture: lower gain or read",
        ),
        ({"noise": {"shot": [1e-4, 0.05], "gain": [1, 4]}}, "shot reaches a variance of 0.2 at gain 4"),
    ],
)
def test_camera_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Camera.model_validate(settings)
