"""Is this training healthy? Indicators from the step's terms and from validation pictures, their
limits, and who watches them.

All of it is arithmetic on numbers and pictures: nothing here trains, logs or stops anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from components.core.parts import Part
from components.train.picture_health import Picture, PictureHealth

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
        description=(
            "restored photos differ from each other by less than this share of what the sharp ones do"
        ),
    )
    colour_shift_levels: float | None = Field(
        10.0, gt=0, description="mean red, green or blue of the restored photos off by more 8-bit levels"
    )
    checkerboard: float | None = Field(
        10.0,
        gt=1,
        description=(
            "energy at periods of 2 and 4 px over that beside them, restored over sharp, above; 1 is a sharp"
            " photo's own"
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
    most: int = Field(3, ge=1, le=100, description="rollbacks before the training is given up as diverged")
    on: tuple[Indicator, ...] = Field(
        (),
        description=(
            "signs of ill health that roll back too, beside NaN and loss_limit; each must have a limit in"
            " health"
        ),
    )


@dataclass(frozen=True)
class Complaint:
    """One sign of ill health that has lasted: which, its present value, its limit, and a sentence
    with the remedy.
    """

    name: Indicator
    value: float
    limit: float
    words: str


@dataclass(frozen=True)
class _Look:
    """How an indicator is read: the value's name, whether too much or too little is ill, and what
    to say.
    """

    value: str
    too: Literal["high", "low"]
    meaning: str

    def crossed(self, value: float, limit: float) -> bool:
        """Whether the value is at or beyond its limit; NaN is beyond every limit."""
        return not (value < limit if self.too == "high" else value > limit)


LOOKS: dict[Indicator, _Look] = {
    "discriminator_wins": _Look(
        "health/discriminator_accuracy",
        "high",
        "the discriminator tells nearly all photos apart and leaves the generator nothing to learn from:"
        " lower its rate or its updates, smooth real_label, or add instance noise",
    ),
    "discriminator_lost": _Look(
        "health/discriminator_accuracy",
        "low",
        "the discriminator is wrong about nearly everything, or says the same of everything: raise its rate,"
        " or look at its labels",
    ),
    "gradient_norm": _Look(
        "health/gradient_norm",
        "high",
        "a net's gradient is very large: lower its learning rate, or the weight of the largest term",
    ),
    "adversarial_share": _Look(
        "health/adversarial_share",
        "high",
        "the generator is led by the adversarial terms alone: lower adversarial.weight, or raise that of the"
        " content",
    ),
    "diversity": _Look(
        "health/diversity",
        "low",
        "the restored photos are all alike, whatever was given (mode collapse): raise the content's weight,"
        " or lower the rates",
    ),
    "colour_shift_levels": _Look(
        "health/colour_shift_levels",
        "high",
        "the restored photos have a cast: add a colour_consistency or lab loss, or look at the normalisation"
        " layers",
    ),
    "checkerboard": _Look(
        "health/checkerboard",
        "high",
        "the restored photos show a grid of 2 or 4 px: replace transposed convolutions by nearest or"
        " bilinear, or add total_variation",
    ),
}


class Watch:
    """Looks at readings as they come and says when a limit has been crossed several times in a row:
    once, until it recovers.

    critic: the training's adversarial loss is a critic's, for which being sure of every photo is no
    ill.
    """

    def __init__(self, health: Health, *, critic: bool = False) -> None:
        self._readings = health.readings
        limits: dict[Indicator, float | None] = {name: getattr(health, name) for name in LOOKS}
        if critic:
            limits["discriminator_wins"] = None
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        self._crossed: dict[Indicator, int] = {}  # readings in a row

    def look(self, values: Mapping[str, float]) -> tuple[Complaint, ...]:
        """Take in one reading; what is not in it is left as it stood, so that validations and
        training steps may come apart.
        """
        complaints = []
        for name, limit in self._limits.items():
            look = LOOKS[name]
            if look.value not in values:
                continue
            value = values[look.value]
            if not look.crossed(value, limit):
                self._crossed.pop(name, None)
                continue
            self._crossed[name] = self._crossed.get(name, 0) + 1
            if self._crossed[name] == self._readings:
                words = (
                    f"{name} {value:.3g} for {self._readings} readings in a row (limit {limit:g}):"
                    f" {look.meaning}"
                )
                complaints.append(Complaint(name, value, limit, words))
        return tuple(complaints)

    def doubts(self, names: Sequence[Indicator]) -> bool:
        """Whether any of these indicators was beyond its limit when last read, be it once."""
        return any(name in self._crossed for name in names)

    def state(self) -> dict[str, int]:
        """Readings in a row beyond their limit, by indicator."""
        return {str(name): count for name, count in self._crossed.items()}

    def load_state(self, state: Mapping[str, int]) -> None:
        """Go on from a state."""
        self._crossed = {name: state[name] for name in LOOKS if name in state}


def of_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """The indicators that the step's own terms tell; absent where their terms are, as in a phase
    without discriminators.

    terms: as the step names them (discriminator_0/accuracy_real, generator/l1_weighted, …), read as
    numbers.
    health/discriminator_accuracy: mean over the discriminators and over real and restored, 0 to 1.
    health/gradient_norm: the largest of all nets'. health/adversarial_share: sizes of the weighted
    adversarial terms over those of all, 0 to 1.
    """
    values: dict[str, float] = {}
    accuracies = [
        value for name, value in terms.items() if name.endswith(("/accuracy_real", "/accuracy_restored"))
    ]
    if accuracies:
        values["health/discriminator_accuracy"] = sum(accuracies) / len(accuracies)
    norms = [value for name, value in terms.items() if name.endswith("/gradient_norm")]
    if norms:
        values["health/gradient_norm"] = math.nan if any(math.isnan(norm) for norm in norms) else max(norms)
    sizes = {
        name: abs(value)
        for name, value in terms.items()
        if name.startswith("generator/") and name.endswith("_weighted")
    }
    adversarial = [size for name, size in sizes.items() if name.startswith("generator/adversarial_")]
    if adversarial:
        whole = sum(sizes.values())
        values["health/adversarial_share"] = sum(adversarial) / whole if whole else 0.0
    return values


def of_pictures(restored: Sequence[Picture], target: Sequence[Picture]) -> dict[str, float]:
    """The indicators that pictures tell; see `PictureHealth.values`. Both: (H, W, 3) uint8 each,
    pair by pair of one size.
    """
    health = PictureHealth()
    for ours, truth in zip(restored, target, strict=True):
        health.add(ours, truth)
    return PictureHealth.values(health.sums())


__all__ = [
    "LOOKS",
    "OF_DISCRIMINATORS",
    "OF_PICTURES",
    "Complaint",
    "Health",
    "Indicator",
    "PictureHealth",
    "Rollback",
    "Watch",
    "of_pictures",
    "of_terms",
]
