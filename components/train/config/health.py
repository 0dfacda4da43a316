"""Limits beyond which a training looks ill, and what is done then."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.core.parts import Part

OF_DISCRIMINATORS = (
    "discriminator_wins",
    "discriminator_lost",
    "adversarial_share",
)  # absent without discriminators
OF_PICTURES = ("diversity", "colour_shift_levels", "checkerboard")  # absent without validation pairs
Indicator = Literal[
    "discriminator_wins",
    "discriminator_lost",
    "gradient_norm",
    "adversarial_share",
    "diversity",
    "colour_shift_levels",
    "checkerboard",
]


class Health(Part):
    """Limits beyond which a training looks ill; null switches one off."""

    discriminator_wins: float | None = Field(
        0.98,
        gt=0.5,
        le=1,
        description=(
            "mean accuracy on real and restored photos at or above: the generator hears only that it is"
            " wrong. Not asked of critics"
        ),
    )
    discriminator_lost: float | None = Field(
        0.02,
        ge=0,
        lt=0.5,
        description=(
            "mean accuracy at or below: wrong about nearly all, or one answer to everything, on the line."
            " Guessing gives 0.5"
        ),
    )
    gradient_norm: float | None = Field(1e5, gt=0, description="norm of any net's gradient above")
    adversarial_share: float | None = Field(
        0.98,
        gt=0,
        lt=1,
        description="share of the adversarial terms in the generator's loss, by weighted size, above",
    )
    diversity: float | None = Field(
        0.1,
        gt=0,
        lt=1,
        description=("restored photos differ from each other by less than this share of what the targets do"),
    )
    colour_shift_levels: float | None = Field(
        10.0, gt=0, description="mean red, green or blue of the restored photos off by more 8-bit levels"
    )
    checkerboard: float | None = Field(
        10.0,
        gt=1,
        description=(
            "energy at periods of 2 and 4 px over that beside them, restored over target, above; 1 is a"
            " target's own"
        ),
    )
    readings: int = Field(
        3, ge=1, description="how many readings in a row must be beyond a limit before it is said"
    )


class Rollback(Part):
    """What to do when a training diverges: back to the last healthy state, with lower learning
    rates.
    """

    factor: float = Field(
        0.5,
        gt=0,
        lt=1,
        description=(
            "what the learning rates are multiplied by at each rollback; 1 would diverge again in the"
            " same way"
        ),
    )
    lost_db: float | None = Field(
        3.0,
        gt=0,
        description=(
            "also when a validation's PSNR is so many dB below the phase's best, then back to that one; with"
            " discriminators only below doing nothing, since they trade dB for looks; null: not asked"
        ),
    )
    most: int = Field(3, ge=1, le=100, description="rollbacks before the training is given up as diverged")
    on: tuple[Indicator, ...] = Field(
        (),
        description=(
            "signs of ill health that roll back too, beside NaN and loss_limit; each must have a limit in"
            " health"
        ),
    )
