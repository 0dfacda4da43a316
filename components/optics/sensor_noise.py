"""Noise of a sensor: photons that are counted, and the electronics that count them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.ranges import in_order

LARGEST = 0.1  # variance: a standard deviation of a third of full white
Variance = Annotated[float, Field(gt=0, le=LARGEST)]
Gain = Annotated[float, Field(ge=1, le=1000)]


@dataclass(frozen=True)
class NoiseLevel:
    """Sensor noise of one pair: variance shot · light + read, with light in [0, 1]. `gain` is in
    both already, and told for the row.
    """

    shot: float
    read: float
    gain: float = 1.0

    def added(self, light: Floats, normals: Floats) -> Floats:
        """Light with noise, not clipped; any shape. normals: standard normal numbers of the same
        shape.
        """
        spread = np.multiply(light, np.float32(self.shot))
        # A Fourier transform leaves a little negative light next to black.
        np.maximum(spread, np.float32(0), out=spread)
        spread += np.float32(self.read)
        np.sqrt(spread, out=spread)
        spread *= normals
        spread += light
        return spread


class PoissonGaussian(Part):
    """Sensor noise (Foi et al. 2008, eq. 3), its two parameters drawn log-uniform for each pair.

    The counting part is taken as normal, as is usual above some ten photons. With a range of ISO
    gains, dark scenes are among the
    pairs: g times fewer photons fill the picture, so that shot grows by g and read, the
    electronics' own, by g² at the pair's one gain.
    """

    shot: tuple[Variance, Variance] = Field(
        (2e-5, 5e-4),
        description="range of the variance per unit of light: one over the photons at full white",
    )
    read: tuple[Variance, Variance] = Field((1e-6, 2e-5), description="range of the variance in the dark")
    gain: tuple[Gain, Gain] = Field(
        (1.0, 1.0),
        description="range of the ISO gain, log-uniform; 1 is the ISO that shot and read are stated for",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(shot=self.shot, read=self.read, gain=self.gain)
        for name, variance in (
            ("shot", self.shot[1] * self.gain[1]),
            ("read", self.read[1] * self.gain[1] ** 2),
        ):
            if variance > LARGEST * (1 + 1e-9):
                raise ValueError(
                    f"{name} reaches a variance of {variance:.3g} at gain {self.gain[1]:g}, at most"
                    f" {LARGEST:g} is a picture: lower gain or {name}"
                )
        return self

    def draw(self, rng: np.random.Generator) -> NoiseLevel:
        """One pair's noise level."""
        # The gain comes last: without one, the two others are what they were before there were
        # gains.
        shot, read = _log_uniform(rng, *self.shot), _log_uniform(rng, *self.read)
        gain = 1.0 if self.gain == (1.0, 1.0) else _log_uniform(rng, *self.gain)
        return NoiseLevel(shot * gain, read * gain**2, gain)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
