"""One contract over every member of the union of blurs: a new kind is tested the moment it exists."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from components.core.seeds import stream
from components.optics.blurs import Blur
from components.optics.blurs.drawn_blur import Effect, Kernel

KINDS = typing.get_args(typing.get_args(Blur)[0])

# Of each kind: the field that says how strong it is, a small and a large setting.
STRENGTH: dict[str, tuple[str, object, object]] = {
    "camera_shake_6dof": ("turn_deg_per_s", [2.0, 2.0], [3.0, 3.0]),
    "object_motion": ("object_px", [10.0, 10.0], [14.0, 14.0]),
    "defocus": ("radius_px", [2.0, 2.0], [3.0, 3.0]),
    "gaussian": ("sigma_px", [1.0, 1.0], [1.5, 1.5]),
    "linear_motion": ("length_px", [5.0, 5.0], [7.0, 7.0]),
    "zoom": ("streak_px", [5.0, 5.0], [7.0, 7.0]),
    "spin": ("streak_px", [5.0, 5.0], [7.0, 7.0]),
    "turbulence": ("strength", [1.0, 1.0], [2.0, 2.0]),
}
MOVING = {"turbulence"}  # moves each place of a photo by its own way, so also the one in its centre


def test_every_kind_has_a_strength_to_test() -> None:
    # random_trajectory's grows with its path on average only (test_random_trajectory.py); no blur
    # has none.
    assert {kind.model_fields["kind"].default for kind in KINDS} == {*STRENGTH, "random_trajectory", "none"}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def blur(request: pytest.FixtureRequest) -> Blur:
    made: Blur = request.param()
    return made


def effects(blur: Blur, count: int = 40) -> list[Effect]:
    return blur.draw([stream(7, index) for index in range(count)])


def test_every_kind_has_its_own_name() -> None:
    names = [kind.model_fields["kind"].default for kind in KINDS]
    assert len(set(names)) == len(names) >= 2


def test_light_is_neither_made_nor_lost_nor_negative(blur: Blur) -> None:
    for effect in effects(blur):
        assert effect.psf.dtype == np.float32
        assert float(effect.psf.astype(np.float64).sum()) == pytest.approx(1.0, abs=1e-6)
        assert effect.psf.min() >= 0


def test_kernels_have_a_middle_pixel_and_keep_within_the_stated_size(blur: Blur) -> None:
    for effect in effects(blur):
        assert all(side % 2 == 1 and side <= blur.largest_px for side in effect.psf.shape)


def test_the_same_stream_gives_the_same_blur_alone_or_among_others(blur: Blur) -> None:
    together = effects(blur)
    for index in (0, 1, 17, 39):
        alone = blur.draw([stream(7, index)])[0]
        assert np.array_equal(alone.psf, together[index].psf)
        assert alone.drawn == together[index].drawn


@pytest.mark.parametrize("shape", [(80, 120, 3), (121, 70)], ids=["colour", "grey"])
def test_a_plain_photo_stays_as_it_is_up_to_its_borders(blur: Blur, shape: tuple[int, ...]) -> None:
    plain = np.full(shape, 0.37, np.float32)
    for effect in effects(blur, 8):
        blurred = effect.apply(plain)
        assert blurred.shape == shape
        assert blurred.dtype == np.float32
        assert np.abs(blurred - 0.37).max() < 2e-6


def test_a_bright_point_at_the_centre_becomes_the_kernel_as_it_is_drawn(blur: Blur) -> None:
    point = np.zeros((151, 141), np.float32)
    point[75, 70] = 1.0
    for effect in effects(blur, 8):
        if isinstance(effect, Kernel):
            rows, columns = (side // 2 for side in effect.psf.shape)
            assert (
                np.abs(
                    effect.apply(point)[75 - rows : 76 + rows, 70 - columns : 71 + columns] - effect.psf
                ).max()
                < 1e-6
            )


def test_a_bright_spot_at_the_centre_is_spread_as_far_as_the_kernel_says(blur: Blur) -> None:
    # Blur that changes over the photo changes over the kernel too, and its photos are resampled, so
    # a soft spot and not the kernel's every pixel.
    y, x = np.ogrid[-75:76, -70:71]
    spot = (np.exp(-(x**2 + y**2) / 8.0) / (8 * np.pi)).astype(np.float32)
    for effect in effects(blur, 8):
        found = Kernel(effect.apply(spot))
        assert found.psf.sum() == pytest.approx(1.0, abs=0.03)
        assert found.severity_px == pytest.approx(
            np.hypot(Kernel(effect.psf).severity_px, np.sqrt(8.0)), rel=0.05
        )
        assert np.hypot(*found.centroid_px) < (3.0 if blur.kind in MOVING else 0.5)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind.model_fields["kind"].default in STRENGTH],
    ids=lambda kind: kind.__name__,
)
def test_a_stronger_setting_spreads_light_further(kind: type[Blur]) -> None:
    field, small, large = STRENGTH[kind.model_fields["kind"].default]
    mild, strong = (effects(kind.model_validate({field: setting}), 20) for setting in (small, large))
    assert all(more.severity_px > less.severity_px > 0 for less, more in zip(mild, strong, strict=True))


def test_the_photo_does_not_move(blur: Blur) -> None:
    for effect in effects(blur):
        rows, columns = np.indices(effect.psf.shape)
        mass = effect.psf.astype(np.float64)
        assert abs((mass * (rows - effect.psf.shape[0] // 2)).sum()) < 0.02
        assert abs((mass * (columns - effect.psf.shape[1] // 2)).sum()) < 0.02


def test_the_photo_given_is_left_untouched(blur: Blur) -> None:
    light = stream(1).random((70, 70, 3), dtype=np.float32)
    before = light.copy()
    for effect in effects(blur, 3):
        effect.apply(light)
    assert np.array_equal(light, before)
