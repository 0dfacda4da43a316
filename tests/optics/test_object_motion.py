"""Something moving before something else: profiles by hand, the moment-by-moment definition, and
what is behind.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter, shift

from components.core.seeds import stream
from components.optics.blurs.compositing import behind, composited, kernel_of
from components.optics.blurs.convolve import convolved
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.object_motion import Moved, ObjectMotion, path_px
from components.optics.blurs.outline import drawn_outline

Doubles = npt.NDArray[np.float64]
STILL = np.zeros((32, 2))


def rectangle(
    height: int = 60, width: int = 100, *, top: int = 20, bottom: int = 40, left: int = 35, right: int = 65
) -> Floats:
    matte = np.zeros((height, width), np.float32)
    matte[top:bottom, left:right] = 1
    return matte


def textured(height: int, width: int, seed: int) -> Floats:
    return (
        gaussian_filter(np.random.default_rng(seed).random((height, width)), 1.5).astype(np.float32) * 4 - 1.5
    )


def painted(matte: Floats, inside: float, outside: float) -> Floats:
    return (outside + (inside - outside) * matte).astype(np.float32)


def moved(picture: Floats, path: Doubles) -> npt.NDArray[np.float64]:
    """The picture at each moment, by SciPy."""
    # SciPy's "mirror" is reflection that does not repeat the edge.
    return np.stack([shift(picture.astype(float), (y, x), order=1, mode="mirror") for x, y in path])


def drawn(count: int, **settings: object) -> list[Moved]:
    return cast(
        "list[Moved]",
        ObjectMotion.model_validate(settings).draw([stream(1, index) for index in range(count)]),
    )


@pytest.mark.parametrize("length", [6, 9])
def test_an_edge_before_a_plain_background_becomes_the_ramp_of_a_box(length: int) -> None:
    matte = rectangle()
    blurred = composited(
        painted(matte, 0.8, 0.2), matte, path_px(length, 0.0, 0.0, 4 * length), np.zeros((4 * length, 2))
    )
    # The mean over the exposure of a rectangle whose edges run from pixel to pixel, at each pixel
    # of a row.
    pixels, times = np.arange(100.0), (np.arange(20000) + 0.5) / 20000 - 0.5
    seen = np.interp(pixels[:, None] - length * times, pixels, matte[30]).mean(axis=1)
    assert blurred[30] == pytest.approx(0.2 + 0.6 * seen, abs=1e-6)
    # Well within the ramp, one step is one part of the length.
    assert np.diff(blurred[30])[33:36] == pytest.approx(0.6 / length, abs=1e-6)


def test_light_before_a_plain_background_is_kept() -> None:
    matte = rectangle()
    photo = painted(matte, 0.8, 0.2)
    blurred = composited(photo, matte, path_px(13.0, 0.7, 0.3, 64), path_px(5.0, 2.0, 0.0, 64))
    assert float(blurred.sum(dtype=np.float64)) == pytest.approx(float(photo.sum(dtype=np.float64)), rel=1e-6)


def test_every_moment_is_composited_before_the_mean_is_taken() -> None:
    matte, height, width = rectangle(), 60, 100
    photo = textured(height, width, 1)
    foreground, background = path_px(15.0, 0.4, 0.2, 60), path_px(9.0, 2.2, -0.1, 60)
    alpha, light, hidden = (
        moved(matte, foreground),
        moved(matte * photo, foreground),
        moved(behind(photo, matte), background),
    )
    wanted = (light + (1 - alpha) * hidden).mean(axis=0)
    error = composited(photo, matte, foreground, background) - wanted
    assert np.abs(error).max() < 0.02
    assert np.sqrt((error**2).mean()) < 0.002
    # Two means multiplied, as is often done, are ten times as far off.
    careless = light.mean(axis=0) + (1 - alpha.mean(axis=0)) * hidden.mean(axis=0)
    assert np.sqrt(((careless - wanted) ** 2).mean()) > 5 * np.sqrt((error**2).mean())


def test_inside_is_the_object_s_blur_and_far_outside_the_background_s() -> None:
    matte = rectangle(80, 120, top=20, bottom=60, left=30, right=90)
    photo = textured(80, 120, 2)
    foreground, background = path_px(7.0, 0.0, 0.0, 32), path_px(5.0, 1.5, 0.0, 32)
    blurred = composited(photo, matte, foreground, background)
    assert np.abs(blurred - convolved(photo, kernel_of(foreground)))[24:56, 38:82].max() < 1e-6
    outside = np.abs(blurred - convolved(photo, kernel_of(background)))
    assert outside[:12].max() < 1e-6
    assert outside[:, :20].max() < 1e-6


def test_what_does_not_move_stays() -> None:
    matte = rectangle()
    photo = textured(60, 100, 3)
    assert np.abs(composited(photo, matte, STILL, STILL) - photo).max() < 1e-6


@pytest.mark.parametrize("channels", [0, 1, 3])
def test_any_number_of_channels_is_composited_alike(channels: int) -> None:
    matte, grey = rectangle(), textured(60, 100, 4)
    photo = grey if channels == 0 else np.repeat(grey[:, :, None], channels, axis=2)
    paths = path_px(9.0, 1.0, 0.1, 40), path_px(4.0, 0.0, 0.1, 40)
    blurred = composited(photo, matte, *paths)
    assert blurred.shape == photo.shape
    plane = blurred if channels == 0 else blurred[:, :, -1]
    assert np.abs(plane - composited(grey, matte, *paths)).max() < 1e-6


@pytest.mark.parametrize(
    "matte", [np.zeros((40, 50), np.float32), np.ones((40, 50), np.float32)], ids=["nothing", "everything"]
)
def test_an_object_that_is_nothing_or_everything_leaves_one_blur(matte: Floats) -> None:
    photo = textured(40, 50, 5)
    paths = path_px(9.0, 1.0, 0.0, 40), path_px(4.0, 0.0, 0.0, 40)
    assert (
        np.abs(
            composited(photo, matte, *paths) - convolved(photo, kernel_of(paths[int(matte.max() == 0)]))
        ).max()
        < 1e-6
    )


def test_nothing_of_the_object_is_left_behind_it() -> None:
    for index in range(20):
        rng = stream(6, index)
        matte = drawn_outline(rng, "blob" if index % 2 else "polygon", 0.3).matte(90, 120)
        assert behind(painted((matte > 0).astype(np.float32), 1.0, 0.25), matte).max() == 0.25


def test_behind_an_object_is_the_mirror_image_of_what_is_beside_it() -> None:
    photo = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (60, 1))
    matte = np.zeros((60, 80), np.float32)
    matte[:, 50:] = 1
    found = behind(photo, matte)[30]
    assert np.array_equal(found[:50], photo[30, :50])
    # Pixel 50 + k mirrors 48 − k at pixel 49; the first few are evened out.
    assert found[53:70] == pytest.approx(photo[30, 45:28:-1], abs=1e-5)
    assert found[50:53] == pytest.approx(photo[30, 48:45:-1], abs=1.01 / 79)


def test_an_object_is_left_deep_inside_where_nothing_will_show_it() -> None:
    matte, photo = rectangle(), textured(60, 100, 7)
    found = behind(photo, matte, 3.0)
    assert np.array_equal(found[25:35, 40:60], photo[25:35, 40:60])
    assert np.abs(found - photo)[21, 40:60].min() > 0


def test_a_bright_point_at_the_photo_s_centre_becomes_the_kernel_exactly() -> None:
    point = np.zeros((151, 141), np.float32)
    point[75, 70] = 1.0
    for effect in drawn(20):
        rows, columns = (side // 2 for side in effect.psf.shape)
        assert (
            np.abs(effect.apply(point)[75 - rows : 76 + rows, 70 - columns : 71 + columns] - effect.psf).max()
            < 1e-6
        )


def test_an_object_covers_the_middle_and_its_share() -> None:
    shares = []
    for effect in drawn(200):
        matte = effect.outline.matte(150, 250)
        assert matte[74:76, 124:126].min() == 1
        shares.append(float(matte.mean()) / float(cast("float", effect.drawn["share"])))
    # OpenCV's soft edges are up to half a pixel outside.
    assert max(shares) < 1.08
    assert np.median(shares) > 0.95


def test_an_outline_covers_the_same_part_of_photos_of_any_shape() -> None:
    outline = drawn_outline(stream(2), "blob", 0.1)
    for height, width in ((400, 400), (100, 900), (720, 1280)):
        assert float(outline.matte(height, width).mean()) == pytest.approx(0.1, rel=0.05)


def test_a_path_is_as_long_and_as_bent_as_it_is_told() -> None:
    path = path_px(30.0, math.pi / 2, 0.1, 3001)
    assert path.mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert np.ptp(path, axis=0) == pytest.approx([3.0, 30.0], rel=1e-3)


def test_severity_is_that_of_the_object_s_line() -> None:
    for effect in drawn(10, object_px=[30, 30], bend=0):
        assert effect.severity_px == pytest.approx(30 / math.sqrt(12), rel=0.01)


def test_the_longest_and_most_bent_path_fits() -> None:
    blur = ObjectMotion(object_px=(40.0, 40.0), bend=0.5)
    for effect in drawn(300, object_px=[40, 40], bend=0.5):
        assert max(effect.psf.shape) <= blur.largest_px


def test_a_matte_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the matte is 100 × 60 px, the photo 90 × 60 px"):
        composited(np.zeros((60, 90), np.float32), rectangle(), STILL, STILL)
    with pytest.raises(ValueError, match="at the same moments"):
        composited(np.zeros((60, 100), np.float32), rectangle(), STILL, STILL[:4])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"object_px": [40, 8]}, "the smaller value comes first"),
        ({"share": [0, 0.3]}, "greater than 0"),
        ({"shapes": ["star"]}, "'blob' or 'polygon'"),
        ({"shapes": []}, "at least 1 item"),
        ({"bend": 0.9}, "less than or equal to 0.5"),
        ({"speed": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ObjectMotion.model_validate(settings)
