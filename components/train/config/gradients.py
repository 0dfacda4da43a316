"""What a gradient may be: how long, beside those of the steps before it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from components.core.parts import Part


class Gradients(Part):
    """Limits of a net's gradient norm before its optimiser steps; null switches one off.

    Adam divides by what it remembers of squared gradients: one that is 10² to 10⁵ times as long as
    usual, as a flat crop under instance normalisation gives, stalls a net for thousands of steps.
    """

    clip_norm: float | None = Field(
        None,
        gt=0,
        description="a longer gradient is shortened to this norm (Pascanu et al. 2013); NAFNet 0.01",
    )
    clip_times: float | None = Field(
        5.0,
        gt=1,
        description="a gradient longer than so many times the running median is shortened to that",
    )
    skip_times: float | None = Field(
        50.0,
        gt=1,
        description="a step whose gradient is longer than so many times the running median is skipped",
    )
    window: int = Field(
        100, ge=10, le=10_000, description="updates that the running median looks back, within the phase"
    )

    @model_validator(mode="after")
    def _skips_beyond_clipping(self) -> Self:
        if self.clip_times is not None and self.skip_times is not None and self.skip_times <= self.clip_times:
            raise ValueError(
                f"skip_times {self.skip_times:g} must be above clip_times {self.clip_times:g}, or nothing is"
                " ever shortened: raise one, or set one of them to null"
            )
        return self
