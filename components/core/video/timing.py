"""When each frame of a video is shown. What is written has one frame rate, so a frame that was shown for
longer is written again, and sound stays with its pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

LOOSE = 1.5  # frames that times may stray from the rate that a file says: some lose one at the start
EVEN = 0.6  # from the mean rate, which fits any times somehow: containers round
FASTEST_FPS = 240.0
MOST_AGAIN = 50  # times the number of frames; beyond it a clock is broken, not slow


@dataclass(frozen=True)
class Timing:
    """A frame rate, and how often each frame is written at it; once where nothing else is said."""

    fps: float
    times: tuple[int, ...] = ()

    @property
    def varies(self) -> bool:
        """Whether frames are shown for different times."""
        return bool(self.times)

    def each(self) -> chain[int]:
        """How often frame after frame is written."""
        return chain(self.times, repeat(1))


def timing_of(times_s: Sequence[float], said_fps: float) -> Timing:
    """The timing of frames that are shown at these times.

    said_fps: what the file says, kept where the times fit it, as it is more exact than they are.

    >>> timing_of([0.0, 0.04, 0.08, 0.12], 25.0)
    Timing(fps=25.0, times=())
    >>> timing_of([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0], 14.0)
    Timing(fps=10.0, times=(1, 1, 1, 1, 1, 5, 1))
    """
    begun = np.asarray(times_s, np.float64) - (times_s[0] if times_s else 0.0)
    if len(begun) < 3 or begun[-1] <= 0:
        return Timing(said_fps)
    places = np.arange(len(begun))
    for fps, most in ((said_fps, LOOSE), ((len(begun) - 1) / begun[-1], EVEN)):
        stray = begun * fps - places
        if stray.max() - stray.min() <= most:
            return Timing(float(fps))
    steps = np.diff(begun)
    steps = steps[steps > 0]
    shortest = np.percentile(steps, 5)
    fps = min(FASTEST_FPS, 1 / float(steps[steps < 1.5 * shortest].mean()))
    # No frame is lost: where two fall together the second waits, and what follows catches up.
    shown = np.maximum.accumulate(np.rint(begun * fps) - places) + places
    if shown[-1] > MOST_AGAIN * len(begun):
        return Timing(said_fps)
    return Timing(fps, (*(int(count) for count in np.diff(shown)), 1))
