"""Clips of photos: one path of the camera through all frames, each blurred by its own stretch of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from components.core.images import Bytes8
from components.core.seeds import stream
from components.optics.blurs.homography import homographies, seen_from
from components.optics.clip_shake import MOST, ClipShake, ShakenClip
from components.optics.video_codec import VideoCodec

MIDDLE = np.zeros((1, 2))
PART = ClipShake(frames=6, shutter=(0.5, 0.5), turn_deg_per_s=(6, 6))


def drawn(number: int = 0, part: ClipShake = PART) -> ShakenClip:
    return part.draw(stream("clip", number))


def places(clip: ShakenClip, frame: int) -> np.ndarray:
    """Where the middle of the scene is seen while a frame is exposed: (MOST, 2) px."""
    poses = np.concatenate([clip.path[frame], np.zeros((MOST, 3))], axis=1)
    return seen_from(homographies(poses, clip.focal_px), MIDDLE)[0]


def test_the_shake_goes_on_from_frame_to_frame() -> None:
    # Half of the time the shutter is closed: what is between two frames is as long as a frame's own path,
    # so that the gap is bridged by a motion of the size that both have.
    for number in range(5):
        clip = drawn(number)
        for frame in range(5):
            one, other = places(clip, frame), places(clip, frame + 1)
            gap = np.linalg.norm(other[0] - one[-1])
            lengths = [np.linalg.norm(np.diff(path, axis=0), axis=1).sum() for path in (one, other)]
            assert gap < 3 * max(lengths) + 0.5


def test_a_shutter_that_never_closes_leaves_no_gap() -> None:
    clip = drawn(0, ClipShake(frames=6, shutter=(1.0, 1.0)))
    for frame in range(5):
        assert np.allclose(places(clip, frame)[-1], places(clip, frame + 1)[0], atol=1e-6)


def test_the_same_numbers_draw_the_same_clip_and_others_another() -> None:
    assert np.array_equal(drawn(1).path, drawn(1).path)
    assert not np.array_equal(drawn(1).path, drawn(2).path)
    assert drawn(1).drawn["shutter"] == 0.5


def test_a_camera_at_rest_gives_the_photo_in_every_frame() -> None:
    clip = ShakenClip(np.zeros((3, MOST, 3)), 1000.0, 1280, {})
    light = np.random.default_rng(0).random((40, 56, 3), dtype=np.float32)
    for frame in range(3):
        np.testing.assert_allclose(clip.sharp(light, frame), light, atol=1e-5)
        np.testing.assert_allclose(clip.blurred(light, frame), light, atol=1e-5)
    assert list(clip.severities_px) == pytest.approx([0.0] * 3, abs=1e-9)


def test_the_sharp_frame_stands_where_the_blurred_one_has_its_middle() -> None:
    # A slow even pan: yaw moves a bright point along a line, of which the sharp frame has the middle.
    yaw = np.linspace(-0.01, 0.01, MOST)
    path = np.stack([np.zeros(MOST), np.zeros(MOST), yaw], axis=1)[None]
    clip = ShakenClip(path, 1000.0, 64, {})
    light = np.zeros((41, 81), np.float32)
    light[20, 40] = 1
    blurred, sharp = clip.blurred(light, 0), clip.sharp(light, 0)
    columns = np.arange(81)
    assert (blurred.sum(0) * columns).sum() / blurred.sum() == pytest.approx(40, abs=0.05)
    assert sharp.argmax() == 20 * 81 + 40
    spread = np.sqrt((blurred.sum(0) * (columns - 40) ** 2).sum() / blurred.sum())
    assert spread == pytest.approx(20 / np.sqrt(12), rel=0.03)  # 20 px, evenly
    assert clip.severities_px[0] == pytest.approx(20 / np.sqrt(12), rel=0.05)


def test_grey_light_keeps_its_shape() -> None:
    light = np.random.default_rng(0).random((30, 40), dtype=np.float32)
    assert drawn().sharp(light, 0).shape == drawn().blurred(light, 5).shape == (30, 40)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shutter": (0.0, 0.5)}, "shares of a frame's time lie above 0"),
        ({"shutter": (0.5, 1.5)}, "shares of a frame's time lie above 0"),
        ({"pan_deg_per_s": (-1.0, 2.0)}, "pan_deg_per_s starts at -1"),
        ({"turn_deg_per_s": (3.0, 2.0)}, "turn_deg_per_s"),
        ({"frames": 2}, "frames"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ClipShake(**settings)


@pytest.mark.parametrize("kind", ["mpeg4", "vp9"])
def test_a_codec_loses_something_and_keeps_size_and_count(kind: str) -> None:
    frames: list[Bytes8] = [
        np.ascontiguousarray(np.clip(drawn().sharp(scene(), number) * 255, 0, 255).astype(np.uint8))
        for number in range(4)
    ]
    codec = VideoCodec(kind=kind)  # type: ignore[arg-type]
    found = codec.roundtrip(frames, 30.0)
    assert [frame.shape for frame in found] == [(45, 61, 3)] * 4
    away = [
        np.abs(one.astype(int) - other.astype(int)).mean() for one, other in zip(frames, found, strict=True)
    ]
    assert all(0 < each < 12 for each in away)
    again = codec.roundtrip(frames, 30.0)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


def scene() -> np.ndarray:
    import cv2

    coarse = np.random.default_rng(0).random((6, 8, 3), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (61, 45), interpolation=cv2.INTER_CUBIC).clip(0, 1), np.float32)
