"""Defocus that follows depth: each pixel gets the disc of its own radius, mixed from discs of a few
radii.

Thin lens (Potmesil & Chakravarty 1981): a point at distance s, with the lens focused at s_f,
becomes a disc of the radius

    r = (A v / 2) (1/s_f − 1/s),   v = f s_f / (s_f − f)   (A: aperture, f: focal length, v: lens to sensor)

which is linear in 1/s. Over any flat surface 1/s is linear in the photo's x and y, so there r is as
well.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from components.optics.blurs.aperture import Aperture
from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.blurs.filter_flow import Tile, convolved_inside, surrounded, tiles

Doubles = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]  # top, bottom, left, right in px
Layer = tuple[int, list[Tile]]  # how far a kernel reaches, and the kernel

STEP_PX = 1.0  # between two radii: a mixture of two discs then has an edge no softer than a pixel
TILE_PX = 96  # of 64 to 256 the fastest on 1280×720 for a plane: fewer radii a tile against fewer borders


def radius_px(
    distance_m: npt.NDArray[np.floating],
    *,
    focus_m: float,
    focal_length_mm: float,
    f_number: float,
    pixel_um: float,
) -> Floats:
    """Radius of the circle of confusion of points at a distance, by the thin lens.

    distance_m: any shape, from the lens, positive (infinity is allowed); focus_m: distance that is
    sharp.
    pixel_um: from one pixel of the photo to the next on the sensor.
    Returns float32 of the same shape: negative in front of the plane of focus, positive behind it.
    Raises ValueError when something is at no distance, or focus_m is not beyond the focal length.

    >>> lens = {"focus_m": 2.0, "focal_length_mm": 50, "f_number": 2, "pixel_um": 10}
    >>> radius_px(np.array([1.0, 2.0, np.inf]), **lens).astype(int).tolist()
    [-32, 0, 32]
    """
    if focus_m * 1000 <= focal_length_mm:
        raise ValueError(
            f"focus_m is {focus_m:g} m, but a lens of {focal_length_mm:g} mm cannot focus at its own focal"
            " length or nearer; set focus_m above it"
        )
    if not (np.asarray(distance_m) > 0).all():
        raise ValueError(
            "distance_m must be positive everywhere; take out the places without a depth, or set them to"
            " infinity"
        )
    focal, aperture = focal_length_mm / 1000, focal_length_mm / 1000 / f_number
    to_sensor = focal * focus_m / (focus_m - focal)
    radius_m = aperture * to_sensor / 2 * (1 / focus_m - 1 / np.asarray(distance_m, np.float64))
    return np.asarray(radius_m / (pixel_um * 1e-6), dtype=np.float32)


def apply_with_depth(light: Floats, radius_px_map: Floats, aperture: Aperture = Aperture()) -> Floats:  # noqa: B008 (frozen)
    """Put a photo out of focus by as much as a map says.

    light: (H, W) or (H, W, C) float32; borders are reflected.
    radius_px_map: (H, W), radius of the circle of confusion at each pixel (see `radius_px`), its
    sign as in `Aperture.kernel`.
    Returns float32 of light's shape; a plain photo stays as it is.
    Raises ValueError when the map has another size or holds NaN.

    Each pixel gathers its neighbours by its own radius: right for surfaces, while at the edge of
    something near, its blur stops instead of spreading over what lies behind.
    """
    if radius_px_map.shape != light.shape[:2]:
        raise ValueError(
            f"radius_px_map is {radius_px_map.shape}, the photo is {light.shape[:2]}: resize the map to the"
            " photo"
        )
    if not np.isfinite(radius_px_map).all():
        raise ValueError("radius_px_map holds NaN or infinity: fill the places without a depth")
    photo = light[:, :, 0] if light.shape[2:] == (1,) else light
    radii = _radii(float(radius_px_map.min()), float(radius_px_map.max()))
    layers = [_layer(aperture.kernel(radius)) for radius in radii.tolist()]
    blurred = np.empty_like(photo)
    for top in range(0, light.shape[0], TILE_PX):
        for left in range(0, light.shape[1], TILE_PX):
            box = (top, min(top + TILE_PX, light.shape[0]), left, min(left + TILE_PX, light.shape[1]))
            tile = np.s_[box[0] : box[1], box[2] : box[3]]
            blurred[tile] = _tile(photo, box, layers, *_mixture(radius_px_map[tile], radii))
    return blurred.reshape(light.shape)


def _layer(kernel: Floats) -> Layer:
    return kernel.shape[0] // 2, tiles(kernel)


def _tile(photo: Floats, box: Box, layers: list[Layer], lower: npt.NDArray[np.intp], share: Floats) -> Floats:
    """A tile under every kernel that any of its pixels needs, mixed."""
    height, width = lower.shape
    total = None
    for layer in range(int(lower.min()), min(int(lower.max()) + 2, len(layers))):
        weight = np.where(lower == layer, 1 - share, np.where(lower == layer - 1, share, np.float32(0)))
        if not weight.any():
            continue
        reach, plan = layers[layer]
        part = convolved_inside(surrounded(photo, box, reach), plan, height, width)
        if weight.min() < 1:
            part = cv2.multiply(part, weight if photo.ndim == 2 else cv2.merge([weight] * photo.shape[2]))
        total = part if total is None else cv2.add(total, part)
    return np.asarray(total, dtype=np.float32)


def severity_px(radii_px: Doubles, aperture: Aperture) -> float:
    """RMS radius of what `apply_with_depth` makes of points at places with these radii: root of the
    mean of their squares.
    """
    places = np.asarray(radii_px, np.float32)
    radii = _radii(float(places.min()), float(places.max()))
    squares = np.array([Kernel(aperture.kernel(radius)).severity_px ** 2 for radius in radii.tolist()])
    lower, share = _mixture(places, radii)
    upper = np.minimum(lower + 1, len(radii) - 1)
    return float(np.sqrt(((1 - share) * squares[lower] + share * squares[upper]).mean()))


def _radii(smallest: float, largest: float) -> Floats:
    """Radii at even distances of at most STEP_PX from one to the other."""
    return np.linspace(smallest, largest, math.ceil((largest - smallest) / STEP_PX) + 1, dtype=np.float32)


def _mixture(radius: Floats, radii: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """For each place the number of the radius below its own, and the share (0 to 1) of the one
    above.

    The shares are linear in the square of the radius, so that the mixture spreads light exactly as
    far as the disc between would.
    """
    if len(radii) == 1:
        return np.zeros(radius.shape, np.intp), np.zeros(radius.shape, np.float32)
    steps = (radius - radii[0]) / (radii[1] - radii[0])
    lower = np.clip(steps.astype(np.intp), 0, len(radii) - 2)
    squares = radii * np.abs(radii)
    below = squares[lower]
    share = (radius * np.abs(radius) - below) / (squares[1:] - squares[:-1])[lower]
    return lower, np.clip(share, 0, 1)
