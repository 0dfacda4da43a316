"""A photo made in bands is the photo made whole, byte for byte; and a large photo is shrunk without
a float copy of it.
"""

from __future__ import annotations

import tracemalloc
import typing
from typing import Any

import cv2
import numpy as np
import pytest

from components.core.images import Picture, linear_of
from components.core.seeds import stream
from components.optics.bands import in_bands, kept
from components.optics.blurs import Blur
from components.optics.camera import Camera
from components.optics.degradation import Degradation, plans
from components.optics.light import lit, shrunk
from components.optics.shrink import area_shrunk

KINDS = [kind.model_fields["kind"].default for kind in typing.get_args(typing.get_args(Blur)[0])]
CAMERAS: dict[str, dict[str, Any]] = {
    "usual": {},
    "bare": {"noise": None, "jpeg": None},
    "sensor": {"highlights": {}, "sensor": {}},
    "16 bits": {"bits": 16, "jpeg": None},
    "web": {"jpeg": None, "webp": {}},
    "in sRGB": {"linear_light": False},
}


def photo(height: int, width: int, *shape: int, bits: int = 8) -> np.ndarray[Any, Any]:
    """Smooth shapes and grain."""
    rng = stream("band photo", height, width)
    coarse = cv2.resize(rng.random((7, 9, *shape)), (width, height), interpolation=cv2.INTER_CUBIC)
    grained = np.clip(coarse + 0.03 * rng.standard_normal(coarse.shape), 0, 1)
    return np.rint(grained * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def same_in_bands(pixels: np.ndarray[Any, Any], degradation: dict[str, Any], rows: int) -> None:
    for plan in plans(Degradation.model_validate(degradation), [3, 4]):
        whole = plan.blurred(lit(pixels, linear=plan.shot.linear_light))
        assert np.array_equal(in_bands(plan, pixels, band_pixels=rows * pixels.shape[1]), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_blur_is_the_same_in_bands(kind: str) -> None:
    same_in_bands(photo(150, 120, 3), {"blurs": [{"kind": kind}], "downscale": None, "camera": {}}, rows=40)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("rows", [16, 37, 64])
def test_every_camera_is_the_same_in_bands_of_any_height(camera: str, rows: int) -> None:
    same_in_bands(
        photo(131, 117, 3),
        {"blurs": [{"kind": "random_trajectory"}], "downscale": None, "camera": CAMERAS[camera]},
        rows,
    )


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear_plain"])
def test_small_photos_are_the_same_in_bands(kernel: str) -> None:
    same_in_bands(
        photo(280, 160, 3),
        {"blurs": [{"kind": "gaussian"}], "downscale": {"scale": 4, "kernel": kernel}, "camera": {}},
        rows=64,
    )


def test_grey_photos_of_16_bits_are_the_same_in_bands() -> None:
    same_in_bands(
        photo(140, 100, bits=16),
        {"blurs": [{"kind": "random_trajectory"}], "downscale": None, "camera": {}},
        rows=32,
    )


def test_what_loses_nothing_is_kept_as_it_is() -> None:
    colour, grey, deep = photo(50, 40, 3), photo(50, 40), photo(50, 40, 3, bits=16)
    assert np.array_equal(kept(colour, Camera()), colour)
    assert np.array_equal(kept(grey, Camera()), np.repeat(grey[:, :, None], 3, axis=2))
    assert np.array_equal(kept(deep, Camera(bits=16, jpeg=None)), deep)
    assert np.abs(kept(deep, Camera(), band_pixels=16 * 40).astype(float) - deep / 257).max() < 0.54


@pytest.mark.parametrize("size", [(60, 50), (47, 31), (119, 99), (120, 1), (40, 100)])
@pytest.mark.parametrize("bits", [8, 16])
def test_shrinking_averages_areas(size: tuple[int, int], bits: int) -> None:
    pixels = photo(100, 120, 3, bits=bits)
    wanted = cv2.resize(linear_of(pixels), size, interpolation=cv2.INTER_AREA)
    assert np.allclose(np.concatenate([band for _, band in area_shrunk(pixels, *size)]), wanted, atol=2e-6)


def test_shrinking_by_a_half_is_the_mean_of_four() -> None:
    pixels = np.array([[0, 255], [255, 255]] * 80, np.uint8)
    bands = list(area_shrunk(pixels, 1, 80))
    assert [top for top, _ in bands] == [0, 64]
    assert np.concatenate([band for _, band in bands]) == pytest.approx(0.75)


def test_a_large_photo_is_never_held_in_floats() -> None:
    # 6 megapixels are 18 MB as stored and 72 MB as floats. numpy tells tracemalloc of its memory;
    # OpenCV's results too.
    pixels = np.tile(photo(250, 200, 3), (8, 15, 1))
    plan = plans(
        Degradation.model_validate(
            {"blurs": [{"kind": "linear_motion"}], "downscale": None, "camera": {"jpeg": None}}
        ),
        [1],
    )[0]
    tracemalloc.start()
    try:
        in_bands(plan, pixels, band_pixels=1 << 18)
        in_bands_mb = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.reset_peak()
        shrunk(Picture(pixels, 3, 8, "PNG"), 500)
        shrink_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert in_bands_mb < 18 + 45
    assert shrink_mb < 40
