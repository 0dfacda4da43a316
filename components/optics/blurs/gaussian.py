"""Gaussian blur: the bell that many small blurs add up to, round or drawn out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Floats, Kernel
from components.optics.blurs.ranges import between, in_order

Sigma = Annotated[float, Field(ge=0.1, le=50)]
Aspect = Annotated[float, Field(gt=0, le=1)]

REACH = 4.0  # standard deviations; outside are 3e-4 of the light


@dataclass(frozen=True)
class RoundGaussian(Kernel):
    """A kernel that is the same along rows and columns: two passes of one row each, three times as
    fast.
    """

    def apply(self, light: Floats) -> Floats:
        """Convolve along rows, then along columns. Borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        import cv2

        from components.optics.blurs.convolve import with_spare

        row = np.sqrt(np.diag(self.psf))
        reach, width = row.size // 2, light.shape[1]
        around = with_spare(np.asarray(cv2.copyMakeBorder(light, 0, 0, reach, reach, cv2.BORDER_REFLECT_101)))
        found = cv2.sepFilter2D(around, -1, row, row, borderType=cv2.BORDER_REFLECT_101)[
            :, reach : reach + width
        ]
        return np.ascontiguousarray(found, dtype=np.float32).reshape(light.shape)


class Gaussian(Part):
    """A normal distribution of light, sampled at the pixels' middles (as in Zhang et al. 2021,
    BSRGAN).
    """

    kind: Literal["gaussian"] = "gaussian"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    sigma_px: tuple[Sigma, Sigma] = Field(
        (0.5, 4.0),
        description="range of the standard deviation along the longer axis. RMS radius if round: times √2",
    )
    aspect: tuple[Aspect, Aspect] = Field(
        (1.0, 1.0),
        description="range of the shorter axis over the longer; [1, 1] is round. Its direction is any",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(sigma_px=self.sigma_px, aspect=self.aspect)
        return self

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        return 2 * math.ceil(REACH * self.sigma_px[1]) + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return [self._kernel(rng) for rng in rngs]

    def _kernel(self, rng: np.random.Generator) -> Kernel:
        u = rng.random(3)
        sigma, aspect = between(self.sigma_px, u[0]), between(self.aspect, u[1])
        angle_deg = 0.0 if aspect == 1.0 else float(180 * u[2])
        drawn: dict[str, JsonValue] = {"sigma_px": sigma, "aspect": aspect, "angle_deg": angle_deg}
        kind = RoundGaussian if aspect == 1.0 else Kernel
        return kind(gaussian_psf(sigma, aspect * sigma, math.radians(angle_deg)), drawn)


def gaussian_psf(sigma_px: float, across_px: float, angle_rad: float) -> Floats:
    """A bell of light.

    sigma_px, across_px: standard deviations along the axis at `angle_rad` (from x towards y, which
    points down) and across it.
    Returns (h, w) float32, both odd, never negative, sum 1, cut off 4 standard deviations away.

    >>> gaussian_psf(0.5, 0.5, 0.0).sum(axis=0).astype(float).round(3).tolist()
    [0.0, 0.106, 0.787, 0.106, 0.0]
    """
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    wide = math.ceil(REACH * math.hypot(sigma_px * cosine, across_px * sine))
    high = math.ceil(REACH * math.hypot(sigma_px * sine, across_px * cosine))
    y, x = np.mgrid[-high : high + 1, -wide : wide + 1]
    light = np.exp(
        -0.5 * (((x * cosine + y * sine) / sigma_px) ** 2 + ((y * cosine - x * sine) / across_px) ** 2)
    )
    return np.asarray(light / light.sum(), dtype=np.float32)
