"""Camera shake in six degrees of freedom: geometry by hand, the fast average against the
definition, and what is refused.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter, map_coordinates

from components.core.seeds import stream
from components.optics.blurs.camera_shake import CameraShake6DoF
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.drawn_shake import Shaken, places_of
from components.optics.blurs.hand import hand_paths
from components.optics.blurs.homography import homographies, seen_from

Doubles = npt.NDArray[np.float64]
FOCAL_PX = 1000.0
CENTRE = np.zeros((1, 2))


def poses(**coordinates: list[float]) -> Doubles:
    """Poses of which only the named coordinates are not 0."""
    names = ("roll", "pitch", "yaw", "right", "down", "forward")
    count = len(next(iter(coordinates.values())))
    return np.stack([np.array(coordinates.get(name, [0.0] * count), float) for name in names], axis=1)


def shaken(path: Doubles, *, focal_px: float = FOCAL_PX, long_side_px: int = 1280) -> Shaken:
    return Shaken(path, np.full(len(path), 1 / len(path)), focal_px, long_side_px, {})


def textured(height: int, width: int) -> Floats:
    """Light with edges and fine detail, as photos have."""
    rng = np.random.default_rng(5)
    rough = gaussian_filter(rng.random((height, width)), 0.7)
    blocks = np.kron(rng.random((height // 16 + 1, width // 16 + 1)), np.ones((16, 16)))[:height, :width]
    return (0.5 * blocks + 0.5 * rough).astype(np.float32)


def definition(photo: Floats, effect: Shaken) -> Floats:
    """The mean of photos seen through each pose, by SciPy, from the homographies as they are
    written down.
    """
    height, width = photo.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    rows, columns = np.indices(photo.shape, float)
    places = np.stack([columns.ravel(), rows.ravel()], axis=1) - middle
    inverse = np.linalg.inv(homographies(effect.poses, effect.focal_px))
    sources = seen_from(inverse, places)
    sources -= (effect.weights @ seen_from(inverse, CENTRE)[0])[None, None]
    total = np.zeros(photo.size)
    for sample, weight in enumerate(effect.weights):
        x, y = (sources[:, sample] + middle).T
        # SciPy's "mirror" is reflection that does not repeat the edge.
        total += weight * map_coordinates(photo.astype(float), [y, x], order=1, mode="mirror")
    return total.reshape(photo.shape).astype(np.float32)


def test_yaw_and_pitch_move_the_middle_by_the_focal_length_times_their_tangent() -> None:
    turned = homographies(poses(yaw=[0.02, 0.0], pitch=[0.0, 0.03]), FOCAL_PX)
    assert seen_from(turned, CENTRE)[0] == pytest.approx(
        np.array([[1000 * math.tan(0.02), 0], [0, 1000 * math.tan(0.03)]])
    )


def test_yaw_moves_what_is_off_the_axis_by_the_angle_from_it() -> None:
    turned = homographies(poses(yaw=[0.02]), FOCAL_PX)
    assert seen_from(turned, np.array([[500.0, 0.0]]))[0, 0] == pytest.approx(
        [1000 * math.tan(math.atan(0.5) + 0.02), 0.0]
    )


def test_the_camera_yaws_before_it_pitches_and_pitches_before_it_rolls() -> None:
    # A quarter turn of the whole, last, takes what yaw moved right to below, and what pitch moved
    # down to the left.
    turned = homographies(poses(roll=[math.pi / 2] * 2, yaw=[0.02, 0.0], pitch=[0.0, 0.03]), FOCAL_PX)
    assert seen_from(turned, CENTRE)[0] == pytest.approx(
        np.array([[0.0, 1000 * math.tan(0.02)], [-1000 * math.tan(0.03), 0.0]]), abs=1e-9
    )
    # A pitch leaves the picture of what lies beside the axis as far beside it, and takes its depth
    # along: x / (z cos θ).
    both = homographies(poses(yaw=[0.3], pitch=[0.4]), FOCAL_PX)
    assert seen_from(both, CENTRE)[0, 0] == pytest.approx(
        [1000 * math.tan(0.3) / math.cos(0.4), 1000 * math.tan(0.4)]
    )


def test_roll_moves_light_in_proportion_to_its_distance_from_the_middle() -> None:
    moved = shaken(poses(roll=[-0.01, 0.01])).displacements(
        np.array([[100.0, 0.0], [0.0, 200.0], [300.0, 400.0]])
    )
    # A chord: 2 r sin(θ / 2).
    assert np.linalg.norm(moved, axis=2) == pytest.approx(
        2 * math.sin(0.005) * np.array([[100.0] * 2, [200.0] * 2, [500.0] * 2])
    )


def test_a_step_aside_moves_everything_by_focal_length_times_step_over_depth() -> None:
    moved = seen_from(
        homographies(poses(right=[0.004], down=[-0.002]), FOCAL_PX), np.array([[0.0, 0.0], [600.0, -300.0]])
    )
    assert moved[:, 0] == pytest.approx(np.array([[4.0, -2.0], [604.0, -302.0]]))


def test_a_step_ahead_magnifies_by_the_depth_over_what_is_left_of_it() -> None:
    assert seen_from(homographies(poses(forward=[0.2]), FOCAL_PX), np.array([[80.0, -40.0]]))[
        0, 0
    ] == pytest.approx([100.0, -50.0])


def test_the_middle_stays_where_it_was_on_average() -> None:
    one_way = shaken(poses(yaw=[0.0, 0.01, 0.03], pitch=[0.0, 0.02, 0.0], roll=[0.0, 0.1, 0.2]))
    assert one_way.displacements(CENTRE)[0].mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_roll_leaves_the_middle_sharp_and_blurs_the_corners() -> None:
    effect = shaken(poses(roll=list(np.linspace(-0.02, 0.02, 41))))
    assert effect.psf.tolist() == [[1.0]]
    photo = textured(320, 320)
    change = np.abs(effect.apply(photo) - photo)
    assert change[158:162, 158:162].max() < 0.01
    assert change[:40, :40].mean() > 0.03


def test_the_definition_agrees_with_an_independent_one() -> None:
    effect = shaken(
        poses(
            roll=[0.03, -0.01, -0.02],
            yaw=[0.02, 0.0, -0.03],
            right=[0.002, 0.001, -0.003],
            forward=[-0.02, 0.0, 0.02],
        ),
        focal_px=200.0,
    )
    photo = textured(120, 160)
    assert np.abs(effect.mean_of_warps(photo) - definition(photo, effect)).max() < 2e-4


def test_the_fast_average_is_within_half_a_level_of_the_definition() -> None:
    # A frame of 320 px stands for one of 1280 seen from further away: the whole of it is before us.
    blur = CameraShake6DoF(long_side_px=320, reach_px=12)
    photo = textured(214, 320)
    for effect in blur.draw([stream(2, index) for index in range(12)]):
        assert isinstance(effect, Shaken)
        error = effect.apply(photo) - definition(photo, effect)
        assert np.abs(error).max() < 6 / 255
        assert np.sqrt((error**2).mean()) < 0.5 / 255


def test_colour_is_blurred_channel_by_channel() -> None:
    effect = CameraShake6DoF().draw([stream(3)])[0]
    photo = np.stack([textured(150, 200), textured(150, 200)[::-1], textured(150, 200)[:, ::-1]], axis=2)
    blurred = effect.apply(photo)
    for channel in range(3):
        assert (
            np.abs(blurred[:, :, channel] - effect.apply(np.ascontiguousarray(photo[:, :, channel]))).max()
            < 1e-6
        )


def test_a_shake_too_wild_for_any_grid_is_averaged_photo_by_photo() -> None:
    effect = shaken(poses(roll=list(np.linspace(-0.3, 0.3, 21))), focal_px=300.0, long_side_px=320)
    photo = textured(200, 320)
    assert np.array_equal(effect.apply(photo), effect.mean_of_warps(photo))
    assert np.abs(effect.mean_of_warps(np.full((90, 70), 0.37, np.float32)) - 0.37).max() < 2e-6


def test_a_larger_photo_gets_the_same_blur_at_the_same_relative_place() -> None:
    effect = CameraShake6DoF().draw([stream(4)])[0]
    assert isinstance(effect, Shaken)
    places = places_of(1280, 720, 3)
    assert effect.displacements(4 * places, smaller=1 / 4) == pytest.approx(
        effect.displacements(places), rel=0.01, abs=0.01
    )


def test_no_light_goes_beyond_the_reach_anywhere_in_the_frame() -> None:
    blur = CameraShake6DoF(
        turn_deg_per_s=(100.0, 400.0), roll_deg_per_s=(100.0, 400.0), drift_mm_per_s=(2000.0, 4000.0)
    )
    for effect in blur.draw([stream(5, index) for index in range(20)]):
        assert isinstance(effect, Shaken)
        reach = np.abs(effect.displacements(places_of(1280, 1280, 3))).max()
        assert 31 < reach <= 32
        assert 0 < effect.drawn["made_smaller"] < 1  # type: ignore[operator]


def test_a_hand_has_the_speed_it_is_given() -> None:
    times = np.linspace(0, 1, 4001)
    paths = hand_paths(np.random.default_rng(1), paths=600, times_s=times, tremor=0.3)
    assert np.sqrt((np.gradient(paths, times, axis=0) ** 2).mean()) == pytest.approx(1.0, rel=0.05)


def test_tremor_alone_has_no_power_outside_8_to_12_hertz() -> None:
    times = np.arange(8000) / 1000
    paths = hand_paths(np.random.default_rng(1), paths=50, times_s=times, tremor=1.0)
    power = (np.abs(np.fft.rfft(paths * np.hanning(8000)[:, None], axis=0)) ** 2).mean(axis=1)
    hertz = np.fft.rfftfreq(8000, 1 / 1000)
    assert power[(hertz > 7.5) & (hertz < 12.5)].sum() > 0.999 * power.sum()


def test_the_rule_of_one_over_the_focal_length_holds() -> None:
    # 1.7°/s is 0.03 rad/s: in 1/f seconds a lens of f mm moves the picture by 0.03 mm of 36, a
    # pixel of 1280.
    blur = CameraShake6DoF(
        focal_mm=(50.0, 50.0), exposure_s=(0.02, 0.02), turn_deg_per_s=(1.7, 1.7), tremor=0.0
    )
    turned = np.radians(
        [effect.drawn["extent_deg"] for effect in blur.draw([stream(6, index) for index in range(400)])]
    )[:, 1:]
    assert 50 / 36 * 1280 * np.sqrt((turned**2).mean()) == pytest.approx(1.055, rel=0.1)


def test_a_step_blurs_a_scene_four_times_as_far_by_a_quarter() -> None:
    still: dict[str, object] = {
        "reach_px": 160,
        "exposure_s": [0.3, 0.3],
        "turn_deg_per_s": [1e-6, 1e-6],
        "roll_deg_per_s": [1e-6, 1e-6],
        "focal_mm": [50.0, 50.0],
        "drift_mm_per_s": [60.0, 60.0],
    }
    for seed in range(10):
        near, far = (
            CameraShake6DoF.model_validate({**still, "depth_m": [metres, metres]}).draw([stream(10, seed)])[0]
            for metres in (1.0, 4.0)
        )
        assert isinstance(far, Shaken)
        assert near.severity_px == pytest.approx(4 * far.severity_px, rel=0.03)
        # 50 mm before a frame of 36 mm that 1280 px share: so many px a metre aside, at a distance
        # of a metre.
        assert far.focal_px == pytest.approx(1777.78, rel=1e-5)
        aside = np.ptp(far.displacements(CENTRE)[0], axis=0)
        assert aside == pytest.approx(1777.78 * np.array(far.drawn["extent_mm"])[:2] / 1000 / 4.0, abs=0.3)


def test_a_short_exposure_leaves_a_straight_line_and_a_long_one_does_not() -> None:
    def narrowness(exposure_s: float) -> float:
        blur = CameraShake6DoF(
            exposure_s=(exposure_s, exposure_s), turn_deg_per_s=(6.0, 6.0), focal_mm=(70.0, 70.0)
        )
        ratios = []
        for effect in blur.draw([stream(8, index) for index in range(40)]):
            assert isinstance(effect, Shaken)
            spread = np.linalg.eigvalsh(np.cov(effect.displacements(CENTRE)[0].T, aweights=effect.weights))
            ratios.append(math.sqrt(max(spread[0], 0) / spread[1]))
        return float(np.median(ratios))

    assert narrowness(0.02) < 0.1
    assert narrowness(0.4) > 0.2


def test_a_longer_exposure_blurs_more() -> None:
    severity = [
        np.mean(
            [
                effect.severity_px
                for effect in CameraShake6DoF(exposure_s=(seconds, seconds)).draw(
                    [stream(9, index) for index in range(60)]
                )
            ]
        )
        for seconds in (0.02, 0.05, 0.1, 0.2)
    ]
    assert severity == sorted(severity)
    assert severity[-1] > 3 * severity[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"focal_mm": [70, 24]}, "the smaller value comes first"),
        ({"focal_mm": [5, 24]}, "start at 10 or more"),
        ({"exposure_s": [0, 1]}, "greater than 0"),
        ({"exposure_s": [0.1, 30]}, "exposure_s ends at 30, but nobody holds a camera for longer than 3 s"),
        ({"depth_m": [1, 1e300]}, "less than or equal to 1000000"),
        ({"reach_px": 200}, "lower reach_px to 160"),
        ({"tremor": 2}, "less than or equal to 1"),
        ({"roll_deg": [0, 1]}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CameraShake6DoF.model_validate(settings)
