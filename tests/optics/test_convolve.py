"""Convolution with few taps in a wide frame equals the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve

from components.optics.blurs.convolve import DIRECT_TAPS, convolved
from components.optics.blurs.drawn_blur import Floats


def kernel_of(height: int, width: int, taps: int) -> Floats:
    rng = np.random.default_rng(taps)
    kernel = np.zeros((height, width), np.float32)
    kernel.flat[rng.permutation(kernel.size)[:taps]] = rng.random(taps) + 0.1
    return kernel / kernel.sum(dtype=np.float32)


@pytest.mark.parametrize(
    ("height", "width", "taps"),
    [
        (1, 1, 1),
        (1, 3, 2),
        (11, 11, 121),
        (5, 31, 40),
        (43, 41, 117),
        (13, 13, 1),
        (63, 63, DIRECT_TAPS),
        (41, 43, DIRECT_TAPS + 50),
    ],
)
def test_every_way_to_convolve_equals_the_definition(height: int, width: int, taps: int) -> None:
    kernel = kernel_of(height, width, taps)
    photo = np.random.default_rng(0).random((90, 77), dtype=np.float32)
    # SciPy's "mirror" is reflection that does not repeat the edge.
    wanted = convolve(photo.astype(np.float64), kernel.astype(np.float64), mode="mirror")
    assert np.abs(convolved(photo, kernel) - wanted).max() < 3e-6


def test_channels_do_not_mix() -> None:
    kernel = kernel_of(21, 15, 60)
    photo = np.random.default_rng(1).random((64, 70, 3), dtype=np.float32)
    apart = np.stack(
        [convolved(np.ascontiguousarray(photo[:, :, channel]), kernel) for channel in range(3)], axis=2
    )
    assert np.abs(convolved(photo, kernel) - apart).max() < 1e-6
