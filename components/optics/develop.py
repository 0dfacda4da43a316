"""Light to a linear picture: noise where the light falls, and what a sensor of colour filters does
around it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from components.optics.blurs.convolve import with_spare
from components.optics.blurs.drawn_blur import Floats
from components.optics.demosaic import demosaicked, mosaicked
from components.optics.noise import normal_field
from components.optics.sensor import SensorShot
from components.optics.sensor_noise import NoiseLevel

Mask = npt.NDArray[np.bool_]


def noisy(
    light: Floats, noise: NoiseLevel | None, seed: int, full: Mask | None, *, top: int, left: int
) -> Floats:
    """Light, (H, W) or (H, W, 3), with the noise of its place in the photo, where it begins at
    (top, left); not clipped.

    full: where the sensor is full, of the light's shape: no noise there.
    """
    if noise is None:
        return light
    normals = normal_field(
        seed, *light.shape[:2], channels=light.shape[2] if light.ndim == 3 else 1, top=top, left=left
    ).reshape(light.shape)
    if full is not None:
        normals[full] = 0
    return noise.added(light, normals)


def raw_of(
    light: Floats,
    sensor: SensorShot,
    noise: NoiseLevel | None,
    seed: int,
    full: Mask | None,
    *,
    top: int,
    left: int,
) -> Floats:
    """What the sensor measures of (H, W, 3) linear sRGB, before white balance, with noise, not
    clipped: (H, W) under a Bayer pattern, else (H, W, 3).
    """
    raw = _in_colours(light, sensor.to_raw)
    if sensor.pattern is not None:
        red = sensor.red_site(top, left)
        raw, full = mosaicked(raw, red), None if full is None else mosaicked(full, red)
    return noisy(raw, noise, seed, full, top=top, left=left)


def developed(
    light: Floats,
    sensor: SensorShot,
    noise: NoiseLevel | None,
    seed: int,
    full: Mask | None,
    *,
    top: int,
    left: int,
) -> Floats:
    """(H, W, 3) linear sRGB as the sensor saw it and the camera developed it: linear sRGB again,
    not clipped.

    full: (H, W, 3), the colours of which a pixel has as much as can be told; top, left: where the
    light begins in the whole photo.
    """
    raw = raw_of(light, sensor, noise, seed, full, top=top, left=left)
    gains = np.broadcast_to(np.array(sensor.gains, np.float32), light.shape)
    if sensor.pattern is None:
        colours = _balanced(raw, gains)
    else:
        red = sensor.red_site(top, left)
        colours = demosaicked(_balanced(raw, mosaicked(gains, red)), red, sensor.demosaic)
    return _in_colours(colours, sensor.to_srgb)


def _in_colours(light: Floats, matrix: Floats) -> Floats:
    """Every pixel times a (3, 3) matrix, bit for bit the same wherever it lies: OpenCV rounds a
    row's last few otherwise.
    """
    return np.ascontiguousarray(cv2.transform(with_spare(light), matrix)[:, : light.shape[1]], np.float32)


def _balanced(raw: Floats, gains: Floats) -> Floats:
    # No gain is below 1, so what a full sensor cuts off at 1 before them is cut off at 1 after
    # them.
    balanced = raw * gains
    return np.clip(balanced, 0, 1, out=balanced)
