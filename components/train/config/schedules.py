"""How the learning rate goes over a phase: one class a kind, each a multiplier of the optimiser's
learning rate by the fraction of the phase that is done.
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
        description="share of the optimiser's learning rate: 0.1 for a second phase that only refines",
    )

    def lr_multiplier(self, phase_fraction: float) -> float:
        """The level, however much of the phase is done."""
        return self.level


class Linear(Part):
    """Hold, then fall in a straight line to zero (DeblurGAN and pix2pix: hold half)."""

    kind: Literal["linear"] = "linear"
    hold: float = Field(0.5, ge=0, lt=1, description="share of the phase at the full learning rate")

    def lr_multiplier(self, phase_fraction: float) -> float:
        """Multiplier of the learning rate when so much of the phase (0 to 1) is done."""
        return min(1.0, (1.0 - phase_fraction) / (1.0 - self.hold))


class Step(Part):
    """A fixed factor less from each milestone on (SRGAN: a tenth from half way)."""

    kind: Literal["step"] = "step"
    at: tuple[float, ...] = Field(
        (0.5,),
        min_length=1,
        description="shares of the phase where the learning rate falls, rising, each between 0 and 1",
    )
    gamma: float = Field(0.1, gt=0, lt=1, description="what it is multiplied by at each")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.at) != sorted(set(self.at)) or not all(0 < milestone < 1 for milestone in self.at):
            raise ValueError(
                "at must rise and lie between 0 and 1 (shares of the phase), got"
                f" {', '.join(f'{milestone:g}' for milestone in self.at)}"
            )
        return self

    def lr_multiplier(self, phase_fraction: float) -> float:
        """Multiplier of the learning rate when so much of the phase (0 to 1) is done."""
        return math.prod(self.gamma for milestone in self.at if phase_fraction >= milestone)


class Cosine(Part):
    """Half a cosine from 1 to `floor` (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = "cosine"
    floor: float = Field(0.0, ge=0, lt=1, description="share of the learning rate that is left at the end")

    def lr_multiplier(self, phase_fraction: float) -> float:
        """Multiplier of the learning rate when so much of the phase (0 to 1) is done."""
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * phase_fraction))


Schedule = Annotated[Constant | Linear | Step | Cosine, Field(discriminator="kind")]
