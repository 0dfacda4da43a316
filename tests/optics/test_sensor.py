"""The sensor: neutral colours stay, noise lands on the mosaic, light beyond its range is cut off."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from skimage import data

from components.core.images import Picture, linear_to_srgb, to_float
from components.optics.camera import Camera
from components.optics.camera_colours import CAMERAS, to_camera
from components.optics.develop import developed
from components.optics.light import light_of, stored
from components.optics.sensor import RED_SITES, Sensor, SensorShot
from components.optics.sensor_noise import NoiseLevel

QUIET = {"noise": None, "jpeg": None}
FULL = Camera.model_validate({"highlights": {}, "sensor": {}, "jpeg": None})
PLAIN = SensorShot(cameras=None, gains=(2.0, 1.0, 1.5), pattern="RGGB")


def photo() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[60:190, 100:260])


def light() -> np.ndarray:
    return light_of(Picture(photo(), 3, 8, "PNG"), linear=True)


def psnr(seen: np.ndarray, truth: np.ndarray) -> float:
    """Away from the border, which no neighbour is known of."""
    return float(-10 * np.log10(np.mean((np.clip(seen, 0, 1) - truth)[4:-4, 4:-4] ** 2)))


@pytest.mark.parametrize(
    "sensor",
    [{}, {"bayer": None}, {"colours": None}, {"white_balance": None}, {"bayer": {"demosaic": "bilinear"}}],
    ids=str,
)
def test_a_flat_photo_of_any_colour_comes_through_unchanged(sensor: dict[str, object]) -> None:
    camera = Camera.model_validate({"sensor": sensor, **QUIET})
    colours = [
        (0, 0, 0),
        (255, 255, 255),
        (128, 128, 128),
        (1, 1, 1),
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (200, 90, 17),
    ]
    for seed, colour in enumerate(colours * 2):
        flat = np.full((12, 14, 3), colour, np.uint8)
        assert np.array_equal(
            camera.shot(seed).picture(light_of(Picture(flat, 3, 8, "PNG"), linear=True)), flat
        )


def test_with_every_step_of_the_sensor_off_nothing_changes() -> None:
    camera = Camera.model_validate(
        {"sensor": {"colours": None, "white_balance": None, "bayer": None}, **QUIET}
    )
    assert np.array_equal(camera.shot(1).picture(light()), photo())


def test_colours_of_a_screen_are_shares_of_light_to_every_camera() -> None:
    for camera in CAMERAS:
        matrix = to_camera({camera: 1.0})
        assert matrix.sum(axis=1) == pytest.approx([1, 1, 1])
        assert (matrix > 0).all()
        assert (matrix.argmax(axis=1) == [0, 1, 2]).all()
    nikon, sony = (to_camera({name: 1.0}) for name in ("nikon_d810", "sony_a7r_ii"))
    half = to_camera({"nikon_d810": 0.5, "sony_a7r_ii": 0.5})
    assert ((half >= np.minimum(nikon, sony) - 1e-12) & (half <= np.maximum(nikon, sony) + 1e-12)).all()


def test_white_on_the_sensor_is_one_over_the_gains() -> None:
    shot = Sensor().draw(5)
    assert shot.to_raw @ np.ones(3, np.float32) == pytest.approx(1 / np.array(shot.gains), rel=1e-6)
    assert (shot.to_srgb @ (shot.to_raw * np.array(shot.gains, np.float32)[:, None])) == pytest.approx(
        np.eye(3), abs=1e-5
    )


def test_a_smooth_photo_is_nearly_unchanged_by_a_noiseless_sensor() -> None:
    smooth = cv2.GaussianBlur(light(), (0, 0), 2)
    camera = Camera.model_validate({"sensor": {}, **QUIET})
    for seed in range(4):
        assert psnr(to_float(camera.shot(seed).picture(smooth)), linear_to_srgb(smooth)) > 40


def test_noise_lands_on_the_mosaic_and_white_balance_makes_it_louder() -> None:
    # Light 0.4 is 0.2 on a red site: variance 2² · (1e-3 · 0.2 + 1e-4) = 1.2e-3 after the balance;
    # 1.5² · (1e-3 · 0.4 / 1.5 + 1e-4) on a blue one.
    noise, flat = NoiseLevel(1e-3, 1e-4), np.full((600, 600, 3), 0.4, np.float32)
    seen = developed(flat, PLAIN, noise, 7, None, top=0, left=0)
    for site, channel, variance in (
        ((0, 0), 0, 1.2e-3),
        ((0, 1), 1, 5e-4),
        ((1, 0), 1, 5e-4),
        ((1, 1), 2, 8.25e-4),
    ):
        values = seen[site[0] :: 2, site[1] :: 2, channel]
        assert values.var() == pytest.approx(variance, rel=0.03)
        assert values.mean() == pytest.approx(0.4, abs=4 * np.sqrt(variance / values.size))
    # Bilinear's green at a red site is the mean of four: a quarter of the variance; and beside it,
    # correlated.
    seen = developed(flat, SensorShot(None, PLAIN.gains, "RGGB", "bilinear"), noise, 7, None, top=0, left=0)
    assert seen[2::2, 2::2, 1].var() == pytest.approx(5e-4 / 4, rel=0.03)


def test_without_a_mosaic_every_colour_of_every_pixel_has_noise_of_its_own() -> None:
    seen = developed(
        np.full((500, 500, 3), 0.4, np.float32),
        SensorShot(None, PLAIN.gains, None),
        NoiseLevel(1e-3, 1e-4),
        7,
        None,
        top=0,
        left=0,
    )
    assert seen.var(axis=(0, 1)) == pytest.approx([1.2e-3, 5e-4, 8.25e-4], rel=0.02)
    assert np.abs(np.corrcoef(seen.reshape(-1, 3).T) - np.eye(3)).max() < 0.01


def test_the_sensor_cuts_off_below_black_and_above_white() -> None:
    loud = NoiseLevel(1e-6, 0.05)
    for level in (0.0, 1.0):
        seen = developed(
            np.full((64, 64, 3), level, np.float32),
            SensorShot(None, PLAIN.gains, None),
            loud,
            3,
            None,
            top=0,
            left=0,
        )
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert 0.4 < np.mean(seen == level) < 0.6  # half of the noise is cut off


def test_a_full_sensor_shows_no_noise_through_the_mosaic() -> None:
    white = np.full((20, 20, 3), 1.2, np.float32)
    assert (FULL.shot(2).picture(white) == 255).all()


def test_a_full_colour_does_not_spill_into_the_others() -> None:
    # Through the camera's matrix a red of 3 would lift green and blue; the sensor is full at 1.
    over = np.full((16, 16, 3), (3.0, 0.2, 0.2), np.float32)
    camera = Camera.model_validate({"highlights": {}, "sensor": {}, **QUIET})
    for seed in range(4):
        # Light 0.2 is level 124.
        assert np.unique(camera.shot(seed).picture(over).reshape(-1, 3), axis=0).tolist() == [[255, 124, 124]]


def test_a_grey_photo_comes_from_a_grey_sensor() -> None:
    grey = np.ascontiguousarray(light()[:, :, 1])
    shot = FULL.shot(4)
    seen = shot.picture(grey)
    assert np.array_equal(seen[:, :, 0], seen[:, :, 1])
    assert np.array_equal(seen[:, :, 0], seen[:, :, 2])
    without = Camera.model_validate({"highlights": {}, "jpeg": None}).shot(4).picture(grey)
    assert np.array_equal(seen, without)
    assert not np.array_equal(seen, stored(grey, linear=True))


def test_turning_one_step_off_changes_no_other_draw() -> None:
    every = Sensor().draw(5).drawn
    for field, drawn in (("colours", "cameras"), ("white_balance", "gains"), ("bayer", "pattern")):
        quiet = Sensor.model_validate({field: None}).draw(5).drawn
        assert {name for name in every if quiet[name] != every[name]} - {"demosaic"} == {drawn}
    on, off = (Camera.model_validate({"sensor": sensor}).shot(5).drawn for sensor in ({}, None))
    assert {name for name in on if on[name] != off[name]} == {"sensor"}


def test_draws_fill_their_ranges() -> None:
    shots = [Sensor().draw(seed) for seed in range(400)]
    red, green, blue = np.array([shot.gains for shot in shots]).T
    assert (red >= 1.9).all()
    assert (red <= 2.4).all()
    assert (green == 1).all()
    assert (blue >= 1.5).all()
    assert (blue <= 1.9).all()
    # A quarter of 400 each, give or take four standard deviations.
    assert all(65 <= sum(shot.pattern == pattern for shot in shots) <= 135 for pattern in RED_SITES)
    shares = np.array([[share for _, share in shot.cameras or ()] for shot in shots])
    assert shares.sum(axis=1) == pytest.approx(np.ones(400))
    assert shares.mean(axis=0) == pytest.approx([0.25] * 4, abs=0.05)


@pytest.mark.parametrize(
    ("sensor", "words"),
    [
        ({"white_balance": {"red": [2.4, 1.9]}}, r"red is \[2.4, 1.9\]: the smaller value comes first"),
        ({"white_balance": {"blue": [0.5, 1.9]}}, "greater than or equal to 1"),
        ({"colours": {"cameras": []}}, "at least 1 item"),
        ({"colours": {"cameras": ["leica_m3"]}}, "canon_eos_5d_mark_iii"),
        ({"bayer": {"demosaic": "nearest"}}, "'malvar' or 'bilinear'"),
        ({"flash": {}}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(sensor: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Camera.model_validate({"sensor": sensor})


def test_a_sensor_in_srgb_values_is_refused() -> None:
    with pytest.raises(
        ValidationError, match="sensor reckons with linear light: set linear_light to true, or sensor to null"
    ):
        Camera.model_validate({"sensor": {}, "linear_light": False})
