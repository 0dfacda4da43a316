"""The numbers that say what kind of photo it is, against photos of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.levels import Pixels
from components.metrics.photo_statistics import UNITS, photo_statistics


def plain(*colour: float, side: int = 128) -> np.ndarray:
    return np.broadcast_to(np.asarray(colour or (128.0, 128.0, 128.0)), (side, side, 3)).copy()


def as_bytes(photo: np.ndarray) -> Pixels:
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0])
def test_noise_is_that_which_was_added_to_a_slope(sigma: float) -> None:
    slope = plain(side=256) + np.linspace(-60, 60, 256)[:, None, None]
    grey = np.random.default_rng(1).normal(0, sigma, (256, 256, 1))
    found = photo_statistics(as_bytes(slope + grey))["noise"]
    assert found == pytest.approx(sigma, rel=0.15)


def test_texture_in_most_of_a_photo_is_no_noise() -> None:
    photo = plain(side=256)
    photo[:, 64:] += 80 * (np.indices((256, 192)).sum(0) % 2)[..., None] - 40
    assert photo_statistics(as_bytes(photo))["noise"] < 1


def test_a_blurred_photo_is_less_sharp() -> None:
    photo = np.random.default_rng(2).uniform(0, 255, (128, 128, 1)).repeat(3, axis=2)
    blurred = (photo + np.roll(photo, 1, 0) + np.roll(photo, 1, 1) + np.roll(photo, (1, 1), (0, 1))) / 4
    assert (
        photo_statistics(as_bytes(blurred))["sharpness"]
        < photo_statistics(as_bytes(photo))["sharpness"] / 1.5
    )


def test_of_a_plain_photo_everything_is_known() -> None:
    found = photo_statistics(as_bytes(plain(51, 51, 51, side=1000)))
    assert found == pytest.approx(
        {"size": 1.0, "noise": 0, "sharpness": 0, "brightness": 0.2, "colour": 0}, abs=1e-4
    )
    assert list(found) == list(UNITS)


def test_colour_is_hasler_and_suesstrunks() -> None:
    # rg = 100, yb = (150 + 50) / 2 - 50 = 50, both without spread: 0.3 sqrt(100² + 50²)
    found = photo_statistics(as_bytes(plain(150, 50, 50)))["colour"]
    assert found == pytest.approx(0.3 * np.hypot(100, 50), abs=0.01)


def test_eight_and_sixteen_bits_say_the_same() -> None:
    photo = as_bytes(np.random.default_rng(3).uniform(0, 255, (64, 64, 3)))
    assert photo_statistics(photo.astype(np.uint16) * 257) == pytest.approx(photo_statistics(photo), rel=1e-4)


def test_a_photo_of_three_pixels_has_numbers() -> None:
    assert all(np.isfinite(value) for value in photo_statistics(as_bytes(plain(side=3))).values())
