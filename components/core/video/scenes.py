"""Where one scene ends and the next begins: no window of frames reaches beyond."""

from __future__ import annotations

import cv2
import numpy as np

from components.core.images import Pixels, to_float

SIDE_PX = 32  # what two frames are compared at
ALIKE = 0.5  # correlation of frames of one scene, also where the light changes
NEAR = 0.05  # mean difference of frames that show the same, whatever their correlation


def is_cut(before: Pixels, after: Pixels) -> bool:
    """Whether two successive frames (H, W, 3), uint8 or uint16, show different scenes.

    Shrunk to SIDE_PX a side they must be near, or correlate: motion from frame to frame and a flash of
    light do not make a cut; a fast pan may, which costs a few frames their neighbours and no more.
    """
    if before.shape != after.shape:
        return True
    one, other = (
        cv2.resize(to_float(frame).mean(axis=2), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        for frame in (before, after)
    )
    if float(np.abs(one - other).mean()) < NEAR:
        return False
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return size == 0 or float((one * other).sum()) / size < ALIKE
