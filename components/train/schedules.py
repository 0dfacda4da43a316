"""How the learning rate goes over a phase: one class a kind, each a multiplier of the optimiser's
rate by share of the phase done.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part


class Constant(Part):
    """One learning rate for the whole phase."""

    kind: Literal["constant"] = "constant"
    level: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the optimiser's rate, such as 0.1 for a second phase that only refines",
    )

    def factor(self, done: float) -> float:
        """The level, whatever share of the phase is done."""
        return self.level


class Linear(Part):
    """Hold, then fall in a straight line to zero (DeblurGAN and pix2pix: hold half)."""

    kind: Literal["linear"] = "linear"
    hold: float = Field(0.5, ge=0, lt=1, description="share of the phase at full rate")

    def factor(self, done: float) -> float:
        """Multiplier of the learning rate when `share` (0 to 1) of the phase is done."""
        return min(1.0, (1.0 - done) / (1.0 - self.hold))


class Step(Part):
    """Full rate, then a fixed factor less from each milestone on (SRGAN: a tenth from half way)."""

    kind: Literal["step"] = "step"
    at: tuple[float, ...] = Field(
        (0.5,),
        min_length=1,
        description="shares of the phase where the rate falls, rising, each between 0 and 1",
    )
    gamma: float = Field(0.1, gt=0, lt=1, description="what it is multiplied by at each")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.at) != sorted(set(self.at)) or not all(0 < done < 1 for done in self.at):
            raise ValueError(
                "at must rise and lie between 0 and 1 (shares of the phase), got"
                f" {', '.join(f'{done:g}' for done in self.at)}"
            )
        return self

    def factor(self, done: float) -> float:
        """Multiplier of the learning rate when `share` (0 to 1) of the phase is done."""
        return math.prod(self.gamma for milestone in self.at if done >= milestone)


class Cosine(Part):
    """Half a cosine from 1 to `floor` (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = "cosine"
    floor: float = Field(0.0, ge=0, lt=1, description="share of the rate that is left at the end")

    def factor(self, done: float) -> float:
        """Multiplier of the learning rate when `share` (0 to 1) of the phase is done."""
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))


Schedule = Annotated[Constant | Linear | Step | Cosine, Field(discriminator="kind")]
