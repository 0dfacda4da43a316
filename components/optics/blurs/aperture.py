"""The picture of a point through a lens out of focus: the shape of its aperture, drawn without
steps.

Geometric optics: the light of a point fills the aperture evenly, so that on the sensor it becomes a
scaled copy of it (Goodman, "Introduction to Fourier Optics", section 6.4, the limit of severe
defocus; Potmesil & Chakravarty 1981). Every pixel's share is the area of the shape within it: exact
along rows, over LINES lines a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]
Spans = tuple[Doubles, Doubles]  # where a convex shape begins and ends on each of some horizontal lines

LINES = 32  # of a pixel row; at 32 the area of a disc of 1 px is right within 1e-4
# a small shape falls unevenly on whole pixels: it is moved until its centroid is this near the
# middle,
CENTRED_PX = 0.002
CENTRINGS = 3  # or this often; then it is within 0.005 px


@dataclass(frozen=True)
class Aperture:
    """The opening of a lens: a circle, or a regular polygon of straight blades.

    blades: 0 for a circle, else 3 or more.
    rotation_rad: angle of the first corner from the x axis (towards y, which points down).
    """

    blades: int = 0
    rotation_rad: float = 0.0

    @property
    def reach(self) -> float:
        """Distance of the outermost point from the middle, in radii of the disc of equal area.

        >>> round(Aperture(6).reach, 4)
        1.0996
        """
        return (
            math.sqrt(2 * math.pi / (self.blades * math.sin(2 * math.pi / self.blades)))
            if self.blades
            else 1.0
        )

    @property
    def rms_radius(self) -> float:
        """RMS distance from the middle, in radii of the disc of equal area; √½ for a disc."""
        return (
            self.reach * math.sqrt((2 + math.cos(2 * math.pi / self.blades)) / 6)
            if self.blades
            else math.sqrt(0.5)
        )

    def kernel(self, radius_px: float, cut: tuple[float, float] = (0.0, 0.0)) -> Floats:
        """What a point becomes whose circle of confusion has this radius.

        radius_px: radius of the disc with the shape's area, so that blades let through as much
        light as a circle; negative behind the plane of focus, where a lens shows its aperture
        upside down; up to 0.4 or so it stays a point.
        cut: (x, y) shift, in radii, of a second circle that leaves only what is within both: the
        rim of the lens seen
            from the side, which makes cat's eyes towards the photo's corners.
        Returns (k, k) float32, k odd, never negative, sum 1, centroid on the middle pixel.

        >>> Aperture().kernel(0.3).tolist(), Aperture().kernel(2.5).shape
        ([[1.0]], (5, 5))
        """
        radius, turned = abs(radius_px), self.rotation_rad + (math.pi if radius_px < 0 else 0.0)
        shape = self._circle(radius, 0.0, 0.0) if not self.blades else self._polygon(radius, turned)
        if cut != (0.0, 0.0):
            flip = math.copysign(radius, radius_px)
            shape = _both(shape, self._circle(radius, cut[0] * flip, cut[1] * flip))
        # Two circles share what lies around the middle between their centres; for polygons it is a
        # good start.
        x, y = (-math.copysign(radius, radius_px) * shift / 2 for shift in cut)
        # One pixel more than the shape: room for the moves, cropped away again if unused.
        half = math.ceil(radius * (self.reach + math.hypot(*cut) / 2) + 0.5)
        share = _coverage(shape, half, x, y)
        for _ in range(CENTRINGS):
            column, row = _centroid(share)
            if math.hypot(column, row) < CENTRED_PX:
                break
            x, y = x - column, y - row
            share = _coverage(shape, half, x, y)
        return _trimmed(share)

    def _polygon(self, radius: float, turned: float) -> Callable[[Doubles], Spans]:
        step = 2 * math.pi / self.blades
        inner = radius * self.reach * math.cos(step / 2)

        def spans(lines: Doubles) -> Spans:
            left, right = np.full(lines.shape, -np.inf), np.full(lines.shape, np.inf)
            for blade in range(self.blades):
                across, down = (
                    math.cos(turned + (blade + 0.5) * step),
                    math.sin(turned + (blade + 0.5) * step),
                )
                if abs(across) < 1e-12:
                    left = np.where(lines * down > inner, np.inf, left)
                elif across > 0:
                    right = np.minimum(right, (inner - lines * down) / across)
                else:
                    left = np.maximum(left, (inner - lines * down) / across)
            return left, right

        return spans

    @staticmethod
    def _circle(radius: float, x: float, y: float) -> Callable[[Doubles], Spans]:
        def spans(lines: Doubles) -> Spans:
            wide = np.sqrt(np.maximum(radius**2 - (lines - y) ** 2, 0.0))
            wide[np.abs(lines - y) >= radius] = -np.inf
            return x - wide, x + wide

        return spans


def _both(one: Callable[[Doubles], Spans], other: Callable[[Doubles], Spans]) -> Callable[[Doubles], Spans]:
    """What two convex shapes have in common."""

    def spans(lines: Doubles) -> Spans:
        (left, right), (left_too, right_too) = one(lines), other(lines)
        return np.maximum(left, left_too), np.minimum(right, right_too)

    return spans


def _coverage(shape: Callable[[Doubles], Spans], half: int, x: float, y: float) -> Doubles:
    """Share of a convex shape's area in each pixel of a square of 2 half + 1 a side, the shape
    moved by (x, y).
    """
    side = 2 * half + 1
    left, right = shape((np.arange(side * LINES) + 0.5) / LINES - 0.5 - half - y)
    columns = np.arange(-half, half + 1)
    within = np.minimum(right[:, None] + x, columns + 0.5) - np.maximum(left[:, None] + x, columns - 0.5)
    share = np.maximum(within, 0.0).reshape(side, LINES, side).sum(axis=1)
    total = share.sum()
    if total == 0.0:  # a shape finer than the lines, or a cut that leaves nothing: a point
        share[half, half] = total = 1.0
    return np.asarray(share / total, dtype=np.float64)


def _centroid(share: Doubles) -> tuple[float, float]:
    offsets = np.arange(share.shape[0]) - share.shape[0] // 2
    return float(share.sum(axis=0) @ offsets), float(share.sum(axis=1) @ offsets)


def _trimmed(share: Doubles) -> Floats:
    """Without the empty frame around it; the middle pixel stays the middle."""
    lit_rows, lit_columns = np.nonzero(share)
    middle = share.shape[0] // 2
    half = int(max(np.abs(lit_rows - middle).max(), np.abs(lit_columns - middle).max()))
    return share[middle - half : middle + half + 1, middle - half : middle + half + 1].astype(np.float32)
