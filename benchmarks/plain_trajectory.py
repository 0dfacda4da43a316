"""DeblurGAN's camera shake in plain Python, step by step: the baseline of `synthesize.py` and the
yardstick of the statistics test.

Follows Kupyn et al. 2018 ("DeblurGAN"), section 4.1, and its authors' published parameters; own
words and names. Nothing here is meant to be fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CANVAS_PX = 64
STEPS = 2000
MAX_LEN_PX = 60.0
ANXIETIES = (0.01, 0.009, 0.008, 0.007, 0.005, 0.003)
EXPOSURES = (0.01, 0.1, 0.5, 1.0)


@dataclass(frozen=True)
class Trajectory:
    """Places on the canvas (complex px: column + i · row) and how often the camera was knocked."""

    places: npt.NDArray[np.complex128]
    big_shakes: int


def trajectory(rng: np.random.Generator) -> Trajectory:
    """One random walk at constant speed, moved to the middle of the canvas."""
    anxiety = float(rng.choice(ANXIETIES))
    pull, chance, tremor = 0.7 * rng.random(), 0.2 * rng.random(), 10.0 * rng.random()
    angle = math.radians(360.0 * rng.random())
    step_px = MAX_LEN_PX / (STEPS - 1)
    # The very first step starts at this length; from then on each is step_px long.
    velocity = complex(math.cos(angle), math.sin(angle)) * anxiety
    places = np.zeros(STEPS, dtype=np.complex128)
    big_shakes = 0
    for t in range(STEPS - 1):
        knock = 0j
        if rng.random() < chance * anxiety:
            turned = math.pi + rng.random() - 0.5
            knock = 2 * velocity * complex(math.cos(turned), math.sin(turned))
            big_shakes += 1
        hand = tremor * complex(rng.standard_normal(), rng.standard_normal()) - pull * places[t]
        velocity = velocity + knock + anxiety * hand * step_px
        velocity = velocity / abs(velocity) * step_px
        places[t + 1] = places[t] + velocity
    return Trajectory(_in_the_middle(places), big_shakes)


def _in_the_middle(places: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    """Non-negative, started on a whole pixel, one pixel of margin, then moved by whole pixels to
    the middle of the canvas.
    """
    places = places - complex(places.real.min(), places.imag.min())
    places = places - complex(places[0].real % 1, places[0].imag % 1) + complex(1, 1)
    return places + complex(
        math.ceil((CANVAS_PX - places.real.max()) / 2), math.ceil((CANVAS_PX - places.imag.max()) / 2)
    )


def psfs(walk: Trajectory, exposures: Sequence[float] = EXPOSURES) -> list[npt.NDArray[np.float64]]:
    """What a point of light leaves on the canvas after each part of the exposure; the parts add up,
    the last sums to about 1.
    """
    canvas = np.zeros((CANVAS_PX, CANVAS_PX))
    made = []
    before = 0.0
    for exposure in exposures:
        for t in range(STEPS):
            share = min(1.0, max(0.0, exposure * STEPS - t)) - min(1.0, max(0.0, before * STEPS - t))
            column = min(CANVAS_PX - 2, max(1, math.floor(walk.places[t].real)))
            row = min(CANVAS_PX - 2, max(1, math.floor(walk.places[t].imag)))
            canvas[row, column] += share * _tent(walk.places[t].real - column, walk.places[t].imag - row)
            canvas[row, column + 1] += share * _tent(
                walk.places[t].real - column - 1, walk.places[t].imag - row
            )
            canvas[row + 1, column] += share * _tent(
                walk.places[t].real - column, walk.places[t].imag - row - 1
            )
            canvas[row + 1, column + 1] += share * _tent(
                walk.places[t].real - column - 1, walk.places[t].imag - row - 1
            )
        made.append(canvas / STEPS)
        before = exposure
    return made


def _tent(x: float, y: float) -> float:
    """The bilinear weight of a pixel at a distance of (x, y) px."""
    return max(0.0, 1 - abs(x)) * max(0.0, 1 - abs(y))
