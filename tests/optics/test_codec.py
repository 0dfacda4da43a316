"""JPEG and WebP: which of the two, at which quality, and what of a photo they can be given in
parts.
"""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from skimage import data

from components.core.images import jpeg_roundtrip, webp_roundtrip
from components.core.seeds import stream
from components.optics.camera import Camera, Shot
from components.optics.codec import Jpeg, WebP, on_grid
from components.optics.light import stored

PHOTO = np.ascontiguousarray(data.coffee()[:120, :160])


@pytest.mark.parametrize("codec", [Jpeg, WebP])
def test_qualities_reach_both_ends(codec: type[Jpeg | WebP]) -> None:
    assert {codec(quality=(90, 92)).draw(stream(index)) for index in range(60)} == {90, 91, 92}


def test_beside_each_other_one_is_drawn_by_weight_and_alone_it_is_always() -> None:
    both = [Camera.model_validate({"jpeg": {"weight": 3}, "webp": {}}).shot(seed) for seed in range(400)]
    assert all((shot.jpeg_quality is None) != (shot.webp_quality is None) for shot in both)
    # Three of four, give or take four standard deviations.
    assert np.mean([shot.jpeg_quality is not None for shot in both]) == pytest.approx(0.75, abs=0.09)
    assert all(
        Camera.model_validate({"jpeg": None, "webp": {}}).shot(seed).webp_quality is not None
        for seed in range(20)
    )
    webps = [Camera.model_validate({"jpeg": None, "webp": {}}).shot(seed).webp_quality for seed in range(400)]
    alone = [Camera().shot(seed).jpeg_quality for seed in range(400)]
    assert all(shot.jpeg_quality in (None, quality) for shot, quality in zip(both, alone, strict=True))
    assert all(shot.webp_quality in (None, quality) for shot, quality in zip(both, webps, strict=True))
    # Two draws of 24 qualities, each from a stream of its own, are rarely the same.
    assert sum(jpeg == webp for jpeg, webp in zip(alone, webps, strict=True)) < 40


def test_webp_is_what_the_picture_goes_through() -> None:
    light = (PHOTO / 255).astype(np.float32)
    seen = Shot(1, False, None, None, webp_quality=60).picture(light)
    assert np.array_equal(seen, webp_roundtrip(stored(light, linear=False), 60))
    losses = [np.abs(webp_roundtrip(PHOTO, quality).astype(int) - PHOTO).mean() for quality in (10, 60, 95)]
    assert losses == sorted(losses, reverse=True)
    assert 0 < losses[2] < 4 < losses[0] < 20


def test_a_part_is_compressed_in_the_blocks_of_the_whole() -> None:
    whole = jpeg_roundtrip(PHOTO, 50)
    part = on_grid(lambda pixels: jpeg_roundtrip(pixels, 50), PHOTO[21:101, 37:137], 21, 37)
    assert part.shape == (80, 100, 3)
    assert np.array_equal(part[16:-16, 16:-16], whole[37:85, 53:121])
    # In blocks of its own it would be another picture.
    assert not np.array_equal(
        jpeg_roundtrip(np.ascontiguousarray(PHOTO[21:101, 37:137]), 50)[16:-16, 16:-16], whole[37:85, 53:121]
    )


def test_the_reach_of_a_shot_is_that_of_its_steps_and_unknown_with_webp() -> None:
    def reach(**settings: object) -> int | None:
        return Camera.model_validate({"jpeg": None, **settings}).shot(1).reach_px

    assert reach() == reach(highlights={}) == reach(sensor={"bayer": None}) == 0
    assert reach(sensor={}) == 2
    assert reach(sensor={"bayer": {"demosaic": "bilinear"}}) == 1
    assert reach(jpeg={}) == 16
    assert reach(jpeg={}, sensor={}) == 18
    assert reach(webp={}) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bits": 16}, "bits is 16, and jpeg stores 8: set jpeg to null, or bits to 8"),
        (
            {"bits": 16, "jpeg": None, "webp": {}},
            "bits is 16, and webp stores 8: set webp to null, or bits to 8",
        ),
        ({"bits": 12}, "8 or 16"),
        ({"webp": {"quality": [95, 80]}}, r"quality is \[95, 80\]: the smaller value comes first"),
        ({"webp": {"weight": 0}}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Camera.model_validate(settings)
