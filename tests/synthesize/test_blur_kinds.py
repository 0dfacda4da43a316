"""One contract over every member of the union of blurs: a new kind is tested the moment it exists."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from components.core.seeds import stream
from components.synthesize.blurs import Blur
from components.synthesize.blurs.effect import Effect

KINDS = typing.get_args(typing.get_args(Blur)[0])


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


def test_a_bright_point_becomes_the_kernel_as_it_is_drawn(blur: Blur) -> None:
    point = np.zeros((151, 141), np.float32)
    point[75, 70] = 1.0
    for effect in effects(blur, 8):
        rows, columns = (side // 2 for side in effect.psf.shape)
        found = effect.apply(point)[75 - rows : 76 + rows, 70 - columns : 71 + columns]
        assert np.abs(found - effect.psf).max() < 1e-6


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
