"""A part of a picture is the whole picture's, bit for bit, for every kind of blur and every step of
the camera.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from photos import CAMERAS, KINDS, SCALES, degradation, photo

from components.core.seeds import seed_of, stream
from components.optics.degradation import plans
from components.optics.light import lit
from components.optics.region import Box, part_of


def compare(
    kind: str, camera: str, scale: str, pixels: np.ndarray[Any, Any], seed: int, *, boxes: int
) -> None:
    made = degradation(kind, camera, scale)
    plan = plans(made, [seed])[0]
    pixels = pixels if made.downscale is None else made.downscale.cut(pixels)
    whole = plan.blurred(lit(pixels, linear=plan.shot.linear_light))
    rng = stream("boxes", seed)
    for number in range(boxes):
        height, width = (int(rng.integers(1, min(side, 60) + 1)) for side in whole.shape[:2])
        top, left = (
            int(rng.integers(side - own + 1))
            for side, own in zip(whole.shape[:2], (height, width), strict=True)
        )
        if number % 4 == 0:  # into the corner where the codec's last blocks are cut off
            top, left = whole.shape[0] - height, whole.shape[1] - width
        box = Box(top, left, height, width)
        assert np.array_equal(part_of(plan, pixels, box), whole[top : top + height, left : left + width]), (
            box,
            plan.drawn,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_every_kind_of_blur_is_cut_from_the_whole(kind: str) -> None:
    for index, (grey, bits, size) in enumerate(
        ((False, 8, (150, 203)), (True, 8, (141, 160)), (False, 16, (160, 139)))
    ):
        compare(kind, "all", "full size", photo(*size, grey=grey, bits=bits), seed_of(kind, index), boxes=6)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**62),
    height=st.integers(80, 190),
    width=st.integers(80, 190),
    kind=st.sampled_from(["random_trajectory", "gaussian", "none"]),
)
@example(seed=0, height=108, width=80, kind="random_trajectory")  # a part more than twice as high as wide
def test_a_part_is_cut_from_the_whole_whatever_the_camera_and_the_size(
    camera: str, scale: str, seed: int, height: int, width: int, kind: str
) -> None:
    compare(kind, camera, scale, photo(height, width), seed, boxes=4)
