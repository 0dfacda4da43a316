"""Clipped lights: a lamp is brighter than white, and its blurred streak shows how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from components.core.parts import Part
from components.optics.blurs.effect import Floats
from components.optics.blurs.ranges import in_order

Boost = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Recovery:
    """How much light one pair's clipped pixels had: light + extra · share², share rising from 0 at `knee` to 1 at white."""

    extra: float
    knee: float  # linear light

    def recovered(self, light: Floats) -> Floats:
        """Linear light in [0, 1], any shape, channel by channel, to linear light in [0, 1 + extra]. A brighter pixel stays the brighter one."""
        knee = np.float32(self.knee)
        share = light - knee
        np.maximum(share, np.float32(0), out=share)
        share /= np.float32(1) - knee
        share *= share
        share *= np.float32(self.extra)
        share += light
        return share


class Highlights(Part):
    """Saturation (Rim et al. 2022, "Realistic Blur Synthesis for Learning Image Deblurring", section 4.2).

    Before the blur, pixels that the photo clipped are given the light they may have had; after it, light is clipped again at white,
    and there the sensor is full, so that no noise shows. RSBlur adds the factor times the mask of clipped pixels after the blur; blur being linear,
    adding it before is the same. It is added, not multiplied: on a clipped pixel, which is 1, both are one.
    The mask rises with the pixel's own value from `knee` to white, so that it has no hard edge, needs no neighbours, and keeps the order of brightness.
    """

    extra: tuple[Boost, Boost] = Field((0.25, 1.75), description="range of the light added to a clipped pixel, in units of white; one is drawn per pair")
    knee: float = Field(0.98, ge=0.5, lt=1, description="stored value (sRGB, 0 to 1) from which a pixel counts as partly clipped")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(extra=self.extra)
        return self

    def draw(self, rng: np.random.Generator) -> Recovery:
        """One pair's light."""
        return Recovery(float(rng.uniform(*self.extra)), float(((self.knee + 0.055) / 1.055) ** 2.4))
