"""Straight, even motion while the shutter is open: the line that a point leaves, of any length and
angle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Floats, Kernel
from components.optics.blurs.ranges import between, in_order

Length = Annotated[float, Field(ge=0, le=500)]
Angle = Annotated[float, Field(ge=-360, le=360)]


class LinearMotion(Part):
    """Camera or scene moving evenly along a line, parallel to the sensor (Andrews & Hunt 1977,
    "Digital Image Restoration").
    """

    kind: Literal["linear_motion"] = "linear_motion"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    length_px: tuple[Length, Length] = Field(
        (2.0, 30.0), description="range of the way covered; the RMS radius is its length over √12"
    )
    angle_deg: tuple[Angle, Angle] = Field(
        (0.0, 180.0), description="range of its direction, from the x axis towards y, which points down"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(length_px=self.length_px, angle_deg=self.angle_deg)
        return self

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        return 2 * math.ceil(self.length_px[1] / 2) + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return [self._kernel(rng) for rng in rngs]

    def _kernel(self, rng: np.random.Generator) -> Kernel:
        u = rng.random(2)
        length, angle = between(self.length_px, u[0]), between(self.angle_deg, u[1])
        return Kernel(line_psf(length, math.radians(angle)), {"length_px": length, "angle_deg": angle})


def line_psf(length_px: float, angle_rad: float) -> Floats:
    """An evenly bright line through the middle of a pixel, each point of it shared among its four
    pixels (bilinear).

    length_px: 0 or more; angle_rad: from x towards y, which points down.
    Returns (h, w) float32, both odd, never negative, sum 1. The shares are integrated exactly,
    without sampling; they widen the line by up to a quarter of a square pixel in each direction.

    >>> line_psf(2.0, 0.0).tolist()
    [[0.25, 0.5, 0.25]]
    """
    x, y = length_px / 2 * math.cos(angle_rad), length_px / 2 * math.sin(angle_rad)
    # A cosine that should be 0 is 6e-17: no second row for it.
    wide, high = math.ceil(abs(x) - 1e-9), math.ceil(abs(y) - 1e-9)
    # Between two grid lines the shares are products of two straight lines: two Gauss points
    # integrate them exactly.
    crossings = [np.arange(-reach, reach + 1) / end for end, reach in ((x, wide), (y, high)) if reach]
    ends = np.sort(np.clip(np.concatenate([[-1.0, 1.0], *crossings]), -1.0, 1.0))
    middle, half = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    times = np.concatenate([middle - half / math.sqrt(3), middle + half / math.sqrt(3)])
    light = np.concatenate([half, half]) / 2
    psf = np.zeros((2 * high + 3, 2 * wide + 3))
    column, row = np.floor(times * x), np.floor(times * y)
    right, below = times * x - column, times * y - row
    at = (row.astype(np.intp) + high + 1, column.astype(np.intp) + wide + 1)
    for down, across, share in (
        (0, 0, (1 - right) * (1 - below)),
        (0, 1, right * (1 - below)),
        (1, 0, (1 - right) * below),
        (1, 1, right * below),
    ):
        np.add.at(psf, (at[0] + down, at[1] + across), light * share)
    inside = psf[1:-1, 1:-1]
    return np.asarray(inside / inside.sum(), dtype=np.float32)
