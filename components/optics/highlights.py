"""Clipped lights: a lamp is brighter than white, and its blurred streak shows how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.ranges import in_order

Boost = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Recovery:
    """How much light one pair's clipped pixels had: light + extra · share², share rising from 0 at
    `knee` to 1 at white.
    """

    extra: float
    knee: float  # linear light

    def recovered(self, light: Floats) -> Floats:
        """Linear light in [0, 1], any shape, channel by channel, to linear light in [0, 1 + extra].
        A brighter pixel stays the brighter one.
        """
        knee = np.float32(self.knee)
        share = light - knee
        np.maximum(share, np.float32(0), out=share)
        share /= np.float32(1) - knee
        share *= share
        share *= np.float32(self.extra)
        share += light
        return share


class Highlights(Part):
    """Clipped lights as bright as they may have been, before the blur: saturation synthesis (Rim et
    al. 2022, "Realistic Blur Synthesis", RSBlur).

    After the blur light is clipped again at white; there the sensor is full, so that no noise
    shows. RSBlur adds a factor times the blurred mask of clipped pixels to the blurred photo; blur
    being linear, adding the mask before it is the same. On a clipped pixel, which is 1, adding the
    factor and multiplying by one plus the factor are the same too. The mask rises with the pixel's
    own value from `knee` to white, so that it has no hard edge, needs no neighbours, and keeps the
    order of brightness. Each colour has its own: a lamp that looks yellow because its red was
    clipped leaves an orange streak.
    """

    extra: tuple[Boost, Boost] = Field(
        (0.25, 1.75),
        description="range of the light added to a clipped pixel, in units of white; one is drawn per pair",
    )
    knee: float = Field(
        0.98,
        ge=0.5,
        lt=1,
        description="stored value (sRGB, 0 to 1) from which a pixel counts as partly clipped",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(extra=self.extra)
        return self

    def draw(self, rng: np.random.Generator) -> Recovery:
        """One pair's light."""
        return Recovery(float(rng.uniform(*self.extra)), float(((self.knee + 0.055) / 1.055) ** 2.4))
