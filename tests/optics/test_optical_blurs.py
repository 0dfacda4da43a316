"""Defocus, Gaussian and straight motion: sizes that can be worked out by hand, and other ways to
compute the same.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from spots import local_severity_px

from components.core.seeds import stream
from components.optics.blurs import Defocus, Gaussian, LinearMotion
from components.optics.blurs.aperture import Aperture
from components.optics.blurs.defocus import Plane
from components.optics.blurs.depth import apply_with_depth, radius_px
from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.blurs.gaussian import gaussian_psf
from components.optics.blurs.linear_motion import line_psf

PIXEL = math.sqrt(1 / 6)  # RMS radius of a square pixel: what sharing light among pixels adds


def disc(radius: float) -> Floats:
    return Aperture().kernel(radius)


@pytest.mark.parametrize("radius", [2.0, 3.3, 7.5, 20.0])
def test_a_disc_spreads_light_by_its_radius_over_the_root_of_two(radius: float) -> None:
    assert Kernel(disc(radius)).severity_px == pytest.approx(
        math.hypot(radius / math.sqrt(2), PIXEL), rel=0.02
    )


def test_a_pixel_within_the_disc_gets_one_over_its_area() -> None:
    assert disc(1.0)[1, 1] == pytest.approx(1 / math.pi, rel=1e-3)
    assert disc(6.0)[6, 6] == pytest.approx(1 / (36 * math.pi), rel=1e-4)


@pytest.mark.parametrize(
    ("blades", "rms"),
    [
        (3, math.sqrt(math.pi / (3 * math.sqrt(3)))),
        (4, math.sqrt(math.pi / 6)),
        (6, math.sqrt(5 * math.pi / (18 * math.sqrt(3)))),
    ],
)
def test_polygons_of_the_disc_s_area_have_the_spread_of_geometry(blades: int, rms: float) -> None:
    # A triangle of side s: s/√12, area s²√3/4. A square: s/√6, area s². A hexagon: s√(5/12), area
    # s²·3√3/2. Area π.
    assert Aperture(blades).rms_radius == pytest.approx(rms, rel=1e-12)
    kernel = Kernel(Aperture(blades, 0.3).kernel(9.0))
    assert kernel.severity_px == pytest.approx(math.hypot(9.0 * rms, PIXEL), rel=2e-3)
    assert kernel.psf.max() == pytest.approx(1 / (81 * math.pi), rel=1e-3)


def test_shares_of_a_polygon_agree_with_counting_small_points() -> None:
    blades, turned, radius, fine = 5, 0.4, 4.0, 40
    kernel = Aperture(blades, turned).kernel(radius)
    half = kernel.shape[0] // 2
    grid = (np.arange((2 * half + 1) * fine) + 0.5) / fine - 0.5 - half
    x, y = np.meshgrid(grid, grid)
    angles = turned + 2 * np.pi * np.arange(blades) / blades
    corners = (
        radius
        * math.sqrt(2 * math.pi / (blades * math.sin(2 * math.pi / blades)))
        * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    )
    inside = np.ones_like(x, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    counted = inside.reshape(2 * half + 1, fine, 2 * half + 1, fine).mean(axis=(1, 3))
    # The kernel was moved by up to some hundredths of a pixel to be centred.
    assert np.abs(kernel - counted / counted.sum()).max() < 0.04 * kernel.max()


def test_behind_the_plane_of_focus_the_aperture_is_upside_down() -> None:
    pentagon = Aperture(5, 0.2)
    assert np.allclose(pentagon.kernel(-6.0), pentagon.kernel(6.0)[::-1, ::-1], atol=1e-6)
    assert not np.allclose(pentagon.kernel(-6.0), pentagon.kernel(6.0), atol=1e-3)
    # With its rim, from wherever that is seen.
    assert np.allclose(
        pentagon.kernel(-6.0, (0.7, 0.2)), pentagon.kernel(6.0, (0.7, 0.2))[::-1, ::-1], atol=1e-5
    )


def test_a_cat_s_eye_is_what_two_circles_share() -> None:
    # Two circles a radius apart share 2π/3 − √3/2 of the radius squared.
    eye = Kernel(Aperture().kernel(8.0, (1.0, 0.0)))
    assert eye.psf.max() == pytest.approx(1 / (64 * (2 * math.pi / 3 - math.sqrt(3) / 2)), rel=1e-3)
    assert np.hypot(*eye.centroid_px) < 1e-3
    assert np.count_nonzero(eye.psf.any(axis=1)) > 1.5 * np.count_nonzero(eye.psf.any(axis=0))


def test_cat_s_eyes_stand_across_the_way_to_the_middle_and_are_narrowest_in_the_corners() -> None:
    left, middle, right = Plane(Aperture(), 8.0, (0.0, 0.0), 1.0, {})._kernels(
        np.array([-1.0, 0.0, 1.0]), 0.5
    )
    assert middle[1].max() == pytest.approx(1 / (64 * math.pi), rel=1e-3)
    for corner in (left[0], left[2], right[0], right[2]):
        assert corner.max() == pytest.approx(1 / (64 * (2 * math.pi / 3 - math.sqrt(3) / 2)), rel=1e-3)
    beside, above = (Kernel(kernel) for kernel in (middle[2], left[1]))
    for eye, narrow in ((beside, 0), (above, 1)):
        sides = [np.count_nonzero(eye.psf.any(axis=axis)) for axis in (0, 1)]
        assert sides[narrow] < sides[1 - narrow]
    # The photo is half as high as wide: above the middle its rim is half as far aside as beside it.
    assert beside.psf.max() > above.psf.max()


def test_a_thin_lens_of_50_mm_at_f_2_focused_at_2_m_blurs_infinity_by_a_third_of_a_millimetre() -> None:
    # Aperture 25 mm, lens to sensor 100/1.95 mm, half of their product over 2000 mm: 0.3205 mm,
    # 32.05 pixels of 10 µm.
    found = radius_px(
        np.array([1.0, 2.0, 4.0, np.inf]), focus_m=2.0, focal_length_mm=50.0, f_number=2.0, pixel_um=10.0
    )
    assert found == pytest.approx([-32.051, 0.0, 16.026, 32.051], abs=1e-3)


def test_a_lens_cannot_focus_within_its_focal_length() -> None:
    with pytest.raises(ValueError, match=r"focus_m is 0\.05 m, but a lens of 50 mm"):
        radius_px(np.ones(1), focus_m=0.05, focal_length_mm=50.0, f_number=2.0, pixel_um=10.0)
    with pytest.raises(ValueError, match="distance_m must be positive"):
        radius_px(np.zeros(1), focus_m=2.0, focal_length_mm=50.0, f_number=2.0, pixel_um=10.0)


def test_with_the_same_depth_everywhere_it_is_a_convolution() -> None:
    photo = stream(1).random((150, 170, 3), dtype=np.float32)
    expected = Kernel(disc(5.3)).apply(photo)
    assert np.abs(apply_with_depth(photo, np.full((150, 170), 5.3, np.float32)) - expected).max() < 3e-6


def test_each_place_is_as_blurred_as_the_map_says() -> None:
    points, radius = np.zeros((300, 300), np.float32), np.zeros((300, 300), np.float32)
    for place, size in ((50, 0.0), (150, 3.4), (250, 7.7)):
        points[place, place] = 1.0
        radius[place - 40 : place + 41] = size
    blurred = apply_with_depth(points, radius)
    assert blurred[50, 50] == 1.0
    for place, size in ((150, 3.4), (250, 7.7)):
        spot = Kernel(blurred[place - 20 : place + 21, place - 20 : place + 21])
        assert spot.psf.sum() == pytest.approx(1.0, abs=1e-5)
        assert spot.severity_px == pytest.approx(math.hypot(size / math.sqrt(2), PIXEL), rel=0.01)


def test_depth_keeps_plain_photos_and_the_shape_of_grey_ones() -> None:
    radius = 9 * stream(2).random((90, 100), dtype=np.float32) - 3
    for shape in ((90, 100), (90, 100, 1), (90, 100, 3)):
        blurred = apply_with_depth(np.full(shape, 0.6, np.float32), radius, Aperture(6))
        assert blurred.shape == shape
        assert np.abs(blurred - 0.6).max() < 2e-6


def test_maps_that_do_not_fit_the_photo_are_refused() -> None:
    photo = np.zeros((20, 30), np.float32)
    with pytest.raises(ValueError, match=r"radius_px_map is \(30, 20\), the photo is \(20, 30\)"):
        apply_with_depth(photo, np.zeros((30, 20), np.float32))
    with pytest.raises(ValueError, match="NaN"):
        apply_with_depth(photo, np.full((20, 30), np.nan, np.float32))


@pytest.mark.parametrize(
    "effect",
    [
        Plane(Aperture(), 4.0, (3.0, -1.5), 0.0, {}),
        Plane(Aperture(6), 2.0, (-5.0, 0.0), 0.0, {}),
        Plane(Aperture(), 6.0, (0.0, 0.0), 0.9, {}),
    ],
    ids=["plane", "through the focus", "cat's eyes"],
)
def test_severity_of_defocus_is_the_mean_over_the_photo(effect: Plane) -> None:
    assert effect.severity_px == pytest.approx(local_severity_px(effect, 10, 10), rel=0.02)


def test_over_a_plane_the_radius_changes_by_as_much_as_was_drawn() -> None:
    effect = Defocus(radius_px=(5.0, 5.0), plane_px=(4.0, 4.0)).draw([stream(1)])[0]
    assert isinstance(effect, Plane)
    assert abs(effect.slope_px[0]) + abs(effect.slope_px[1]) == pytest.approx(4.0)
    # Linear over the photo: the mean square is that of the middle and a third of each slope's.
    mean_square = 25.0 + (effect.slope_px[0] ** 2 + effect.slope_px[1] ** 2) / 3
    assert effect.severity_px == pytest.approx(effect.aperture.rms_radius * math.sqrt(mean_square), rel=0.02)


def test_a_round_gaussian_is_scipy_s() -> None:
    photo = stream(3).random((80, 90, 3), dtype=np.float32)
    effect = Gaussian(sigma_px=(2.5, 2.5)).draw([stream(1)])[0]
    wanted = gaussian_filter(photo.astype(np.float64), sigma=(2.5, 2.5, 0), mode="mirror", truncate=4.0)
    assert np.abs(effect.apply(photo) - wanted).max() < 1e-6
    assert effect.severity_px == pytest.approx(2.5 * math.sqrt(2), rel=2e-3)


def test_a_long_gaussian_has_the_covariance_asked_for() -> None:
    angle = math.radians(30)
    psf = gaussian_psf(4.0, 1.5, angle).astype(np.float64)
    y, x = np.indices(psf.shape) - np.array([side // 2 for side in psf.shape])[:, None, None]
    found = [(psf * x * x).sum(), (psf * x * y).sum(), (psf * y * y).sum()]
    along = np.array([math.cos(angle), math.sin(angle)])
    wanted = 16.0 * np.outer(along, along) + 2.25 * np.outer(along[::-1], along[::-1]) * np.array(
        [[1, -1], [-1, 1]]
    )
    assert found == pytest.approx([wanted[0, 0], wanted[0, 1], wanted[1, 1]], rel=5e-3)


@pytest.mark.parametrize("length", [4.0, 11.7, 30.0])
@pytest.mark.parametrize("angle_deg", [0.0, 17.0, 45.0, 90.0, 133.3])
def test_a_line_spreads_light_by_its_length_over_the_root_of_twelve(length: float, angle_deg: float) -> None:
    found = Kernel(line_psf(length, math.radians(angle_deg))).severity_px
    # Sharing a point among four pixels adds up to a quarter of a square pixel in each direction.
    assert length**2 / 12 <= found**2 <= length**2 / 12 + 0.5


def test_a_line_agrees_with_a_hundred_thousand_points_along_it() -> None:
    length, angle = 9.3, 0.61
    psf = line_psf(length, angle)
    times = (np.arange(100_000) + 0.5) / 100_000 - 0.5
    x, y = times * length * math.cos(angle), times * length * math.sin(angle)
    rows, columns = (np.arange(side) - side // 2 for side in psf.shape)
    tents = [
        np.maximum(0, 1 - np.abs(place[:, None] - pixels)) for place, pixels in ((y, rows), (x, columns))
    ]
    assert np.abs(psf - tents[0].T @ tents[1] / times.size).max() < 1e-7


def test_lines_point_where_they_are_told() -> None:
    down_right = line_psf(8.0, math.radians(45))
    assert down_right[0, 0] > 0 == down_right[0, -1]
    assert line_psf(8.0, math.radians(90)).shape == (9, 1)
    assert line_psf(0.0, 1.0).tolist() == [[1.0]]


def test_a_hair_s_breadth_of_motion_counts() -> None:
    spreads = [Kernel(line_psf(length, 0.3)).severity_px for length in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)]
    assert spreads == sorted(set(spreads))


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Defocus, {"radius_px": (8.0, 1.0)}, r"radius_px is \[8, 1\]: the smaller value comes first"),
        (Defocus, {"blades": (2,)}, "blades has 2, which close no opening"),
        (Gaussian, {"aspect": (1.0, 0.5)}, r"aspect is \[1, 0\.5\]"),
        (LinearMotion, {"length_px": (9.0, 3.0)}, r"length_px is \[9, 3\]"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    kind: type[Defocus], settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        kind.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"radius_px": (30.0, 40.0), "blades": (3, 5)},
        {"radius_px": (3.0, 9.0), "cat_eye": (0.5, 1.5), "plane_px": (0.0, 8.0)},
    ],
)
def test_no_kernel_of_a_lens_is_larger_than_stated(settings: dict[str, object]) -> None:
    kind = Defocus.model_validate(settings)
    assert all(
        max(effect.psf.shape) <= kind.largest_px
        for effect in kind.draw([stream(5, index) for index in range(20)])
    )
