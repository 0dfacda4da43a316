"""An old print: faded as stated, yellow, scratched where it was drawn, the same in any part of it."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from components.optics.camera import Camera
from components.optics.wear import LONGEST_PX, Wear, WornPrint


def test_black_and_white_fade_to_what_was_drawn_and_blue_most() -> None:
    worn = WornPrint(1, contrast=0.6, paper=0.05, yellowing=0.2, scratches=0, width_px=1)
    light = np.stack([np.zeros((4, 4, 3), np.float32), np.ones((4, 4, 3), np.float32)])
    dark, bright = (worn.worn(one)[0, 0] for one in light)
    np.testing.assert_allclose(dark, 0.05 * np.array([1, 0.9, 0.8]), rtol=1e-6)
    np.testing.assert_allclose(bright, 0.65 * np.array([1, 0.9, 0.8]), rtol=1e-6)
    grey = worn.worn(np.ones((4, 4), np.float32))
    np.testing.assert_allclose(grey, 0.65, rtol=1e-6)


@pytest.mark.parametrize("density", [20.0, 200.0])
def test_scratches_are_as_many_as_asked_and_lay_paper_bare(density: float) -> None:
    worn = WornPrint(3, contrast=0.5, paper=0.0, yellowing=0.0, scratches=density, width_px=2.0)
    side = 1000
    bare = (worn.worn(np.zeros((side, side), np.float32)) > 0).mean()
    # Mean length 0.6 of the longest, 2 px wide and an edge on each side.
    length, few, many = 0.6 * LONGEST_PX, 1.5, 4.0
    assert few * length * density / 1e6 * 0.7 < bare < many * length * density / 1e6 * 1.3


def test_any_part_is_that_of_the_whole() -> None:
    shot = Camera(wear=Wear(), noise=None, jpeg=None).shot(7)
    light = np.random.default_rng(0).random((210, 333, 3), np.float32)
    whole = shot.picture(light)
    for top, left in ((0, 0), (64, 130), (101, 7)):
        part = shot.picture(light[top : top + 80, left : left + 90], top=top, left=left)
        assert np.array_equal(part, whole[top : top + 80, left : left + 90])
    assert not np.array_equal(whole, Camera(noise=None, jpeg=None).shot(7).picture(light))


def test_a_camera_without_wear_is_what_it_was() -> None:
    assert "wear" not in Camera().model_dump()
    assert "wear" not in Camera().shot(1).drawn
    assert Camera(wear=Wear()).shot(1).drawn["wear"]["scratches"] >= 50  # type: ignore[index, call-overload, operator]
    assert Camera(wear=Wear()).shot(1).noise == Camera().shot(1).noise


def test_brighter_than_white_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"lower contrast to 0\.92"):
        Wear(contrast=(0.5, 1.0))
