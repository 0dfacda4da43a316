"""A part of a picture is the whole picture's, bit for bit, for every kind of blur and every step of the camera."""

from __future__ import annotations

import typing
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.seeds import seed_of, stream
from components.optics.blurs import Blur
from components.optics.light import lit
from components.optics.plan import Degradation, plans
from components.optics.region import Box, part_of

KINDS = [kind.model_fields["kind"].default for kind in typing.get_args(typing.get_args(Blur)[0])]
CAMERAS: dict[str, dict[str, Any]] = {
    "all": {},
    "bare": {"noise": None, "jpeg": None},
    "jpeg alone, in sRGB": {"noise": None, "linear_light": False},
    "noise alone": {"jpeg": None},
    "whole sensor": {"highlights": {}, "sensor": {}},
    "bilinear mosaic": {"highlights": {}, "sensor": {"bayer": {"demosaic": "bilinear"}, "colours": None}, "jpeg": None},
    "sensor without mosaic": {"sensor": {"bayer": None}},
    "WebP or JPEG": {"webp": {}},
    "16 bits": {"bits": 16, "jpeg": None, "highlights": {}, "sensor": {}},
}
SCALES: dict[str, dict[str, Any] | None] = {
    "full size": None,
    "bicubic": {"scale": 4},
    "bicubic by 3": {"scale": 3},
    "plain": {"scale": 2, "kernel": "bilinear_plain"},
    "plain by 3": {"scale": 3, "kernel": "bilinear_plain"},
}


def photo(height: int, width: int, *, grey: bool = False, bits: int = 8) -> np.ndarray[Any, Any]:
    """Smooth shapes, hard edges and grain, as photos have them."""
    rng = stream("region photo", height, width)
    shape = (height, width) if grey else (height, width, 3)
    coarse = np.clip(cv2.resize(rng.random((9, 12, *shape[2:])), (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    grained = np.clip(np.where(coarse > 0.6, 1.2 * coarse, coarse) + 0.02 * rng.standard_normal(shape), 0, 1)
    return np.rint(grained * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def degradation(kind: str, camera: str, scale: str) -> Degradation:
    return Degradation.model_validate({"blurs": [{"kind": kind}], "downscale": SCALES[scale], "camera": CAMERAS[camera]})


def compare(kind: str, camera: str, scale: str, pixels: np.ndarray[Any, Any], seed: int, *, boxes: int) -> None:
    plan = plans(degradation(kind, camera, scale), [seed])[0]
    pixels = pixels if plan.downscale is None else plan.downscale.cut(pixels)
    whole = plan.blurred(lit(pixels, linear=plan.shot.linear_light))
    rng = stream("boxes", seed)
    for number in range(boxes):
        height, width = (int(rng.integers(1, min(side, 60) + 1)) for side in whole.shape[:2])
        top, left = (int(rng.integers(side - own + 1)) for side, own in zip(whole.shape[:2], (height, width), strict=True))
        if number % 4 == 0:  # into the corner where the codec's last blocks are cut off
            top, left = whole.shape[0] - height, whole.shape[1] - width
        box = Box(top, left, height, width)
        assert np.array_equal(part_of(plan, pixels, box), whole[top : top + height, left : left + width]), (box, plan.drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_every_kind_of_blur_is_cut_from_the_whole(kind: str) -> None:
    for index, (grey, bits, size) in enumerate(((False, 8, (150, 203)), (True, 8, (141, 160)), (False, 16, (160, 139)))):
        compare(kind, "all", "full size", photo(*size, grey=grey, bits=bits), seed_of(kind, index), boxes=6)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**62), height=st.integers(80, 190), width=st.integers(80, 190), kind=st.sampled_from(["random_trajectory", "gaussian", "none"]))
def test_a_part_is_cut_from_the_whole_whatever_the_camera_and_the_size(camera: str, scale: str, seed: int, height: int, width: int, kind: str) -> None:
    compare(kind, camera, scale, photo(height, width), seed, boxes=4)
