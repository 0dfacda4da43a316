"""When frames are shown: an even rate stays what it is, an uneven one is written at a rate that holds it."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.video.timing import Timing, timing_of


def written(timing: Timing, frames: int) -> list[float]:
    """When each frame is first shown, as written."""
    counts = [count for count, _ in zip(timing.each(), range(frames), strict=False)]
    return [float(start / timing.fps) for start in np.cumsum([0, *counts[:-1]])]


@pytest.mark.parametrize(
    ("times", "said", "fps"),
    [
        ([number * 1001 / 30000 for number in range(90)], 30000 / 1001, 30000 / 1001),
        ([round(number / 30, 3) for number in range(90)], 30.0, 30.0),  # Matroska counts milliseconds
        ([0.0, *(number / 30 for number in range(2, 90))], 30.0, 30.0),  # an AVI's first frame lasts two
        ([round(number / 30, 2) for number in range(90)], 33.3, 30.0),  # a GIF names its first delay
        ([0.0] * 9, 25.0, 25.0),  # no clock
        ([], 25.0, 25.0),
    ],
    ids=["ntsc", "milliseconds", "first", "gif", "none", "empty"],
)
def test_an_even_rate_is_kept(times: list[float], said: float, fps: float) -> None:
    timing = timing_of(times, said)
    assert timing.fps == pytest.approx(fps, rel=2e-3)
    assert not timing.varies


@pytest.mark.parametrize("jitter", [0.0, 0.0004], ids=["exact", "milliseconds"])
def test_frames_of_an_uneven_rate_are_shown_at_their_times(jitter: float) -> None:
    times = [*(number / 30 for number in range(20)), *(2 / 3 + number / 10 for number in range(13))]
    shaken = [time + jitter * (-1) ** number for number, time in enumerate(times)]
    timing = timing_of(shaken, 18.3)
    assert timing.varies
    assert timing.fps == pytest.approx(30, rel=0.01)
    assert len(timing.times) == len(times)
    assert np.abs(np.array(written(timing, len(times))) - times).max() < 0.04


def test_no_frame_is_lost_where_two_fall_together() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 0.301, 0.4, 0.5, 0.6, 0.7, 2.0, 2.1]
    timing = timing_of(times, 5.0)
    assert timing.varies
    assert min(timing.times) == 1


def test_a_broken_clock_is_not_followed() -> None:
    assert timing_of([0.0, 0.04, 0.08, 0.12, 90000.0], 25.0) == Timing(25.0)
