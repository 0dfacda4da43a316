"""Outlines of objects, made up (smooth or cornered) or given by a mask, and how much of each pixel
they cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]
Shape = Literal["blob", "polygon"]

CORNERS = 256  # of a blob's outline
WAVES = 5  # around a blob
SUBPIXELS_LOG2 = 4  # outlines are drawn to a sixteenth of a pixel


@dataclass(frozen=True)
class Outline:
    """A closed line over the photo that goes around the photo's middle: corners in parts of its
    width and height, (0, 0) the middle.
    """

    corners: Doubles  # (n, 2), x then y
    around_middle: ClassVar[bool] = True

    def matte(self, height: int, width: int) -> Floats:
        """How much of each pixel is inside: (height, width) float32, 0 to 1. What lies beyond the
        photo is cut off.
        """
        import cv2

        # Pixels are counted by their middles: the photo's middle is at (width − 1) / 2.
        places = self.corners * (width, height) + ((width - 1) / 2, (height - 1) / 2)
        drawn = np.zeros((height, width), np.uint8)
        cv2.fillPoly(
            drawn, [np.rint(places * 2**SUBPIXELS_LOG2).astype(np.int32)], 255, cv2.LINE_AA, SUBPIXELS_LOG2
        )
        return np.asarray(drawn * np.float32(1 / 255), dtype=np.float32)


@dataclass(frozen=True)
class Mask:
    """An object's outline as a photo's own mask gives it."""

    values: Floats  # (H, W), 0 outside to 1 inside

    @property
    def around_middle(self) -> bool:
        """Whether the photo's middle is on the object."""
        height, width = self.values.shape
        return bool(self.values[height // 2, width // 2] >= 0.5)

    def matte(self, height: int, width: int) -> Floats:
        """How much of each pixel is inside. Raises ValueError for a photo of another size."""
        if self.values.shape != (height, width):
            raise ValueError(
                f"the mask is {self.values.shape[1]} × {self.values.shape[0]} px, the photo {width} ×"
                f" {height} px; they must be alike"
            )
        return self.values


def drawn_outline(rng: np.random.Generator, shape: Shape, share: float) -> Outline:
    """A random outline that covers `share` of the photo (less where it leaves it), anywhere but
    around the photo's middle.
    """
    around = _blob(rng) if shape == "blob" else _polygon(rng)
    x, y = around.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    around = around * math.sqrt(share / area)
    # Whatever corner is picked, half the way to it and less lies well inside.
    inside = around[int(rng.integers(len(around)))] * 0.5 * math.sqrt(rng.random())
    return Outline(around - inside)


def _blob(rng: np.random.Generator) -> Doubles:
    """A smooth closed line around the origin: a circle whose radius waves, the more waves the less."""
    angle = np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
    waves = np.arange(1, WAVES + 1)
    heights = 0.25 * rng.standard_normal((2, WAVES)) / waves
    phase = np.multiply.outer(angle, waves)
    radius = np.exp(np.clip(np.cos(phase) @ heights[0] + np.sin(phase) @ heights[1], -0.7, 0.7))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _polygon(rng: np.random.Generator) -> Doubles:
    """4 to 9 corners around the origin, in even steps that are shaken by up to a third."""
    count = int(rng.integers(4, 10))
    angle = 2 * math.pi * (rng.random() + (np.arange(count) + (rng.random(count) - 0.5) * 2 / 3) / count)
    radius = np.exp(rng.uniform(-0.3, 0.3, count))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
