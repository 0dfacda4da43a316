"""Homographies of a camera that turns and moves before a plane, and the mean of photos seen through
them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]

STRIP_ROWS = 64  # warped at a time, so that the sum stays in the cache


def homographies(poses: Doubles, focal_px: float) -> Doubles:
    """Where the points of a photo go when the scene turns and moves before the camera: H = K (R + v
    nᵀ) K⁻¹.

    poses: (n, 6): roll, pitch, yaw in rad, applied in the order yaw, pitch, roll; right, down,
    forward in depths of the plane. Positive roll turns clockwise on the screen, positive yaw moves
    the middle right, positive pitch moves it down.
    Returns (n, 3, 3), for places in px from the photo's centre.

    >>> turned = homographies(np.array([[0, 0, np.arctan(0.01), 0, 0, 0.0]]), focal_px=1000.0)
    >>> seen_from(turned, np.zeros((1, 2))).round(9).tolist()
    [[[10.0, 0.0]]]
    """
    roll, pitch, yaw, right, down, forward = poses.T
    zero, one = np.zeros_like(roll), np.ones_like(roll)

    def matrices(*rows: tuple[Doubles, Doubles, Doubles]) -> Doubles:
        return np.array(rows).transpose(2, 0, 1)

    rolled = matrices(
        (np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one)
    )
    pitched = matrices(
        (one, zero, zero), (zero, np.cos(pitch), np.sin(pitch)), (zero, -np.sin(pitch), np.cos(pitch))
    )
    yawed = matrices((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    turned = rolled @ pitched @ yawed
    # Forward brings the plane nearer, which makes it larger.
    turned[:, :, 2] += np.stack([right, down, -forward], axis=1)
    camera = np.array([focal_px, focal_px, 1.0])
    moved: Doubles = camera[:, None] * turned / camera
    return moved


def seen_from(maps: Doubles, places: Doubles) -> Doubles:
    """Places through each homography: (m, n, 2) px from (n, 3, 3) maps and (m, 2) places."""
    x, y = places[:, 0, None], places[:, 1, None]
    across, down, ahead = (maps[:, row, 0] * x + maps[:, row, 1] * y + maps[:, row, 2] for row in range(3))
    return np.stack([across / ahead, down / ahead], axis=-1)


def mean_of_warps(light: Floats, sources: Doubles, weights: Doubles) -> Floats:
    """The weighted mean of a photo seen through homographies, bilinear, borders reflected.

    light: (H, W) or (H, W, C) float32.
    sources: (n, 3, 3): from a place of the result to the place in `light` it comes from, px from
    the photo's centre.
    weights: (n,) summing to 1.
    Returns float32 of the same shape.
    """
    import cv2

    height, width = light.shape[:2]
    to_corner = np.array([[1.0, 0.0, (width - 1) / 2], [0.0, 1.0, (height - 1) / 2], [0.0, 0.0, 1.0]])
    total = np.zeros_like(light)
    for top in range(0, height, STRIP_ROWS):
        strip = total[top : top + STRIP_ROWS]
        from_strip = np.array(
            [[1.0, 0.0, -(width - 1) / 2], [0.0, 1.0, top - (height - 1) / 2], [0.0, 0.0, 1.0]]
        )
        for source, weight in zip(sources, weights, strict=True):
            seen = cv2.warpPerspective(
                light,
                to_corner @ source @ from_strip,
                (width, len(strip)),
                flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            strip += seen.reshape(strip.shape) * np.float32(weight)
    return total
