"""Clipped lights: what they get before the blur, what is left of it after, and that a full sensor
shows no noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from components.core.images import Picture
from components.core.seeds import stream
from components.optics.blurs import NoBlur
from components.optics.blurs.drawn_blur import Kernel
from components.optics.camera import Camera, Shot
from components.optics.degradation import Plan
from components.optics.highlights import Highlights, Recovery
from components.optics.light import light_of
from components.optics.sensor_noise import NoiseLevel

FIVE = Kernel(np.full((1, 5), 0.2, np.float32))
TWICE = Recovery(extra=1.0, knee=0.95)


def blurred(light: np.ndarray, highlights: Recovery | None, noise: NoiseLevel | None = None) -> np.ndarray:
    return Plan(NoBlur(), FIVE, None, Shot(1, True, noise, None, highlights)).blurred(light)


def test_a_clipped_pixel_gets_the_extra_light_and_one_below_the_knee_none() -> None:
    assert TWICE.recovered(np.array([0.0, 0.5, 0.95, 1.0], np.float32)).tolist() == pytest.approx(
        [0.0, 0.5, 0.95, 2.0], abs=1e-6
    )
    # Halfway from the knee to white, a quarter of it.
    assert TWICE.recovered(np.array([0.975], np.float32))[0] == pytest.approx(0.975 + 0.25, abs=1e-5)


def test_the_brighter_pixel_stays_the_brighter_one() -> None:
    assert (np.diff(TWICE.recovered(np.linspace(0, 1, 1001, dtype=np.float32))) > 0).all()


def test_the_streak_of_a_lamp_is_brighter_with_its_light_than_without() -> None:
    # A point of light 1 over five pixels is 0.2, level 124; of light 2 it is 0.4, level 170.
    light = np.zeros((9, 21), np.float32)
    light[4, 10] = 1
    assert blurred(light, None)[4, 8:13, 0].tolist() == [124] * 5
    assert blurred(light, TWICE)[4, 8:13, 0].tolist() == [170] * 5
    assert blurred(light, TWICE)[4, 7, 0] == blurred(light, TWICE)[3, 10, 0] == 0


def test_a_wide_lamp_is_clipped_again_and_grows_by_its_light() -> None:
    # The edge of light 2 blurs to 1.6, 1.2, 0.8, 0.4: two pixels more than half of it are white
    # still.
    light = np.zeros((9, 30), np.float32)
    light[:, 10:20] = 1
    row = blurred(light, TWICE)[4, :, 0]
    assert row[8:13].tolist() == [170, 231, 255, 255, 255]
    assert blurred(light, None)[4, 8:13, 0].tolist() == [124, 170, 203, 231, 255]


def test_a_full_sensor_shows_no_noise_and_the_rest_does() -> None:
    noise = NoiseLevel(1e-3, 1e-4)
    light = np.full((40, 40, 3), 1.0, np.float32)
    light[:, :20] = 0.5
    seen = blurred(light, TWICE, noise)
    assert (seen[:, 25:] == 255).all()
    assert seen[:, :15].std() > 1
    assert blurred(light, None, noise)[:, 25:].min() < 255


def test_each_colour_is_clipped_by_itself() -> None:
    red = np.zeros((1, 1, 3), np.float32)
    red[..., 0] = 1
    assert TWICE.recovered(red).tolist() == [[[2.0, 0.0, 0.0]]]


def test_without_a_blur_only_what_was_all_but_clipped_changes() -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    shot = Camera.model_validate({"highlights": {}, "noise": None, "jpeg": None}).shot(3)
    seen = shot.picture(shot.recovered(light_of(Picture(levels, 3, 8, "PNG"), linear=True)))
    assert np.array_equal(seen[levels < 250], levels[levels < 250])
    assert (seen[levels >= 250] >= levels[levels >= 250]).all()


def test_the_light_is_uniform_in_its_range() -> None:
    found = [Highlights().draw(stream(index)).extra for index in range(1000)]
    assert 0.25 <= min(found) < 0.3
    assert 1.7 < max(found) <= 1.75
    assert np.mean(found) == pytest.approx(1.0, abs=0.05)
    assert Highlights().draw(stream(0)).knee == pytest.approx(
        0.9551, abs=1e-4
    )  # ((0.98 + 0.055) / 1.055)^2.4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"highlights": {"extra": [2, 1]}}, r"extra is \[2, 1\]: the smaller value comes first"),
        ({"highlights": {"knee": 1}}, "less than 1"),
        (
            {"highlights": {}, "linear_light": False},
            "highlights reckons with linear light: set linear_light to true, or highlights to null",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Camera.model_validate(settings)
