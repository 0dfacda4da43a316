"""Resizing: MATLAB's imresize written out from its definition, values by hand, properties,
refusal.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.errors import InputError
from components.core.resize import bicubic, bilinear_plain

SIZES = pytest.mark.parametrize(
    ("have", "want"),
    [
        ((32, 48), (8, 12)),
        ((8, 12), (32, 48)),
        ((33, 47), (11, 10)),
        ((10, 7), (25, 40)),
        ((64, 64), (64, 16)),
        ((5, 3), (1, 1)),
        ((9, 9), (9, 9)),
    ],
    ids=lambda size: f"{size[0]}x{size[1]}",
)


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel for a = -1/2."""
    x = np.abs(distance)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def matrix(have: int, want: int) -> np.ndarray:
    """(want, have) weights of imresize along one axis, in double precision, by loops over what the
    documentation says.
    """
    scale = want / have
    weights = np.zeros((want, have))
    for out in range(want):
        centre = (out + 1) / scale + 0.5 * (1 - 1 / scale)  # MATLAB counts pixels from 1
        reach = int(np.ceil(4 / min(scale, 1))) + 2
        places = np.arange(np.floor(centre) - reach, np.floor(centre) + reach + 1)
        values = min(scale, 1) * cubic(min(scale, 1) * (centre - places))
        mirror = np.concatenate([np.arange(have), np.arange(have)[::-1]])
        for place, value in zip(places, values / values.sum(), strict=True):
            weights[out, mirror[int(place - 1) % (2 * have)]] += value
    return weights


def imresize(photo: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.einsum(
        "ih,hwc,jw->ijc",
        matrix(photo.shape[0], height),
        photo.astype(np.float64),
        matrix(photo.shape[1], width),
    )


@SIZES
def test_bicubic_is_imresize_by_its_definition(have: tuple[int, int], want: tuple[int, int]) -> None:
    photo = np.random.default_rng(1).random((*have, 3), dtype=np.float32)
    found = bicubic(photo, want[1], want[0])
    assert found.dtype == np.float32
    assert np.abs(found - imresize(photo, want[1], want[0])).max() < 1e-6


def test_the_kernel_has_its_known_values() -> None:
    # Enlarging by 2 puts new pixels a quarter off the old: weights -9/128, 111/128, 29/128, -3/128.
    line = np.zeros((1, 9), np.float32)
    line[0, 4] = 1.0
    assert bicubic(line, 18, 1)[0, 6:12] * 128 == pytest.approx([-9, 29, 111, 111, 29, -9], abs=1e-5)


@settings(max_examples=30)
@given(
    level=st.floats(0, 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    out=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_a_plain_picture_stays_plain_up_to_its_borders(
    level: float, height: int, width: int, out: tuple[int, int]
) -> None:
    for resize in (bicubic, bilinear_plain):
        small = resize(np.full((height, width, 3), level, np.float32), *out)
        assert small.shape == (out[1], out[0], 3)
        assert np.abs(small - np.float32(level)).max() < 1e-6


def test_a_smooth_picture_survives_being_small() -> None:
    row, column = np.mgrid[0:96, 0:128] / 96.0
    smooth = (0.5 + 0.4 * np.sin(3 * row) * np.cos(2 * column)).astype(np.float32)
    again = bicubic(bicubic(smooth, 32, 24), 128, 96)
    assert np.abs(again - smooth)[8:-8, 8:-8].max() < 1e-3


def test_the_same_size_is_the_same_picture() -> None:
    photo = np.random.default_rng(2).random((13, 17, 3), dtype=np.float32)
    assert np.array_equal(bicubic(photo, 17, 13), photo)


def test_a_part_of_a_tall_picture_is_the_wholes_to_the_last_bit() -> None:
    photo = np.random.default_rng(6).random((240, 48), dtype=np.float32)
    whole = bicubic(photo, 12, 60)
    for top, left, height, width in ((0, 0, 80, 48), (80, 0, 80, 48), (0, 0, 240, 28), (100, 8, 24, 24)):
        part = bicubic(
            np.ascontiguousarray(photo[top : top + height, left : left + width]), width // 4, height // 4
        )
        inner = np.s_[2 : height // 4 - 2, 2 : width // 4 - 2]  # at its borders the part has other neighbours
        assert np.array_equal(part[inner], whole[top // 4 :, left // 4 :][inner])


def test_fine_stripes_become_grey_when_antialiased_and_vanish_when_not() -> None:
    stripes = np.zeros((32, 32), np.float32)
    stripes[:, ::4] = 1.0  # a quarter of the light, in every fourth column
    assert (
        np.abs(bicubic(stripes, 8, 8)[:, 2:-2] - 0.25).max() < 1e-6
    )  # mirroring doubles the stripe at the left edge
    # OpenCV reads columns 1 and 2 of each four, which are black.
    assert bilinear_plain(stripes, 8, 8).max() == 0.0


def test_plain_bilinear_is_the_mean_of_the_middle_two_pixels_each_way() -> None:
    photo = np.random.default_rng(3).random((16, 24, 3), dtype=np.float32)
    middle = (photo[1::4, 1::4] + photo[2::4, 1::4] + photo[1::4, 2::4] + photo[2::4, 2::4]) / 4
    assert np.abs(bilinear_plain(photo, 6, 4) - middle).max() < 1e-6


def test_bicubic_is_not_opencvs() -> None:
    photo = np.random.default_rng(4).random((32, 32, 3), dtype=np.float32)
    assert np.abs(bicubic(photo, 8, 8) - cv2.resize(photo, (8, 8), interpolation=cv2.INTER_CUBIC)).max() > 0.1


def test_grey_and_colour_go_alike() -> None:
    photo = np.random.default_rng(5).random((20, 28, 3), dtype=np.float32)
    for resize in (bicubic, bilinear_plain):
        assert np.array_equal(
            resize(photo, 7, 5)[:, :, 1], resize(np.ascontiguousarray(photo[:, :, 1]), 7, 5)
        )


@pytest.mark.parametrize("resize", [bicubic, bilinear_plain])
def test_a_picture_of_no_pixels_is_refused(resize) -> None:
    with pytest.raises(InputError, match="asked was 0 × 4 px"):
        resize(np.zeros((8, 8), np.float32), 0, 4)
