"""DeblurGAN's blur in plain Python and scipy, fault by fault: a peer of `synthesize.py`.

Follows the authors' published script (Kupyn et al. 2018), in own words: 8 bits, sRGB values taken
for light, the kernel and the result each stretched from their least to their greatest value, black
beyond the borders.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from plain_trajectory import psfs, trajectory
from scipy.signal import fftconvolve

Bytes8 = npt.NDArray[np.uint8]


def blurred(photo: Bytes8, rng: np.random.Generator) -> Bytes8:
    """(H, W, 3) uint8 to the same shape, by a fresh kernel of one of the three longer exposures."""
    kernel = psfs(trajectory(rng))[int(rng.integers(1, 4))]
    down, across = photo.shape[0] - kernel.shape[0], photo.shape[1] - kernel.shape[1]
    wide = np.pad(kernel, ((down // 2, down - down // 2), (across // 2, across - across // 2)))
    stretched = cv2.normalize(wide, None, 0.0, 1.0, cv2.NORM_MINMAX, cv2.CV_32F)
    values = cv2.normalize(photo, None, 0.0, 1.0, cv2.NORM_MINMAX, cv2.CV_32F)
    spread = np.stack([fftconvolve(values[:, :, channel], stretched, "same") for channel in range(3)], axis=2)
    return np.asarray(
        255 * cv2.normalize(spread, None, 0.0, 1.0, cv2.NORM_MINMAX, cv2.CV_32F), dtype=np.uint8
    )
