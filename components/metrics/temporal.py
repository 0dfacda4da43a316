"""What is seen between frames: whether a restored video moves as the sharp one does, and flickers no
more.

Flow is dense and by a fixed, weightless judge, DIS (Kroeger, Timofte, Dai & Van Gool 2016) as OpenCV has
it, preset medium: values by another flow are not comparable, so its name stands in theirs. This module
imports OpenCV when it is asked for a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from components.core.images import Bytes8, Floats

SMALLEST_PX = 32  # DIS looks at patches of 8 px on an eighth of the frame
SURE = 50.0  # how fast trust in a px falls with its squared difference in the sharp video (Lai et al. 2018)


def warping_error_dis(before: Bytes8, now: Bytes8, target_before: Bytes8, target_now: Bytes8) -> float:
    """How much a frame differs from its neighbour once that is moved onto it, in levels of 255 (RMS).

    Frames (H, W, 3) uint8: two neighbours of the restored video, the same two of the sharp one. The flow
    is the sharp video's; px that are hidden in one of its frames, or move in a way that flow cannot say,
    count little: each weighs exp(-50 |sharp now - moved sharp before|²) of values in [0, 1] (Lai, Huang,
    Wang, Shechtman, Yumer & Yang 2018, eq. 3). A video that stands still without flicker has 0.
    """
    flow = _flow(target_now, target_before)
    moved, moved_target = (_moved(frame, flow) for frame in (before, target_before))
    weight = np.exp(-SURE * np.square(target_now / np.float32(255) - moved_target).sum(axis=2))
    apart = np.square(now / np.float32(255) - moved).mean(axis=2)
    return float(255 * np.sqrt((weight * apart).sum(dtype=np.float64) / weight.sum(dtype=np.float64)))


def tof_dis(before: Bytes8, now: Bytes8, target_before: Bytes8, target_now: Bytes8) -> float:
    """How far the motion of the restored video is from the sharp one's: the mean length of the difference
    of their flows, px (Chu, Xie, Mayer, Leal-Taixé & Thuerey 2020, TecoGAN, tOF).
    """
    apart = _flow(before, now) - _flow(target_before, target_now)
    return float(np.linalg.norm(apart, axis=2).mean(dtype=np.float64))


def of_frames_alone(restored: Tensor, target: Tensor) -> Tensor:
    """Two pictures say nothing of time: measured by neighbours instead."""
    raise AssertionError("a metric of neighbouring frames is measured by its over_time")


def _flow(one: Bytes8, other: Bytes8) -> Floats:
    """Where each px of one frame is found in the other: (H, W, 2) px, to the right and down."""
    import cv2

    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey, other_grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (one, other))
    found = dense.calc(grey, other_grey, np.zeros((*one.shape[:2], 2), np.float32))
    return np.asarray(found, dtype=np.float32)


def _moved(frame: Bytes8, flow: Floats) -> Floats:
    """A frame in [0, 1] as it is seen along a flow."""
    import cv2

    rows, columns = np.indices(frame.shape[:2], np.float32)
    seen = cv2.remap(
        frame / np.float32(255),
        columns + flow[..., 0],
        rows + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(seen, dtype=np.float32)
