"""How a hand moves a camera: slow sway and muscle tremor, as smooth random paths.

Velocity is a stationary normal process. Sway has the same power in every octave from 0.3 to 6 Hz,
so that displacement falls with the third power of the frequency; physiological tremor lies between
8 and 12 Hz (Elble and Koller, "Tremor", 1990). Short exposures so give nearly straight lines of
even speed, long ones wander and tremble, as in photographed light trails.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

SWAY_HZ = np.geomspace(0.3, 6.0, 16)
TREMOR_HZ = np.linspace(8.0, 12.0, 6)


def hand_paths(rng: np.random.Generator, *, paths: int, times_s: Doubles, tremor: float) -> Doubles:
    """Independent paths with a velocity of 1 unit a second (root mean square over all hands).

    times_s: (n,) seconds.
    tremor: share of the velocity's power that is tremor, 0 to 1.
    Returns (n, paths), displacement from the mean of each path.
    """
    frequencies = np.concatenate([SWAY_HZ, TREMOR_HZ])
    power = np.concatenate(
        [np.full(SWAY_HZ.size, (1 - tremor) / SWAY_HZ.size), np.full(TREMOR_HZ.size, tremor / TREMOR_HZ.size)]
    )
    turn = 2 * math.pi * frequencies
    phase = np.multiply.outer(times_s, turn)
    amplitude = rng.standard_normal((2, frequencies.size, paths)) * (np.sqrt(power) / turn)[:, None]
    # Velocity is a sum of cosines and sines; this is its integral.
    travelled: Doubles = np.sin(phase) @ amplitude[0] - np.cos(phase) @ amplitude[1]
    travelled -= travelled.mean(axis=0)
    return travelled
