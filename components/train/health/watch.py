"""Who watches a training's health: indicators against their limits, several readings in a row. All of
it is arithmetic on numbers: nothing here trains, logs or stops anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.train.config.health import Health, Indicator


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
class _Threshold:
    """How an indicator is read: the value's name, whether too much or too little is ill, and what
    to say.
    """

    value: str
    too: Literal["high", "low"]
    meaning: str

    def crossed(self, value: float, limit: float) -> bool:
        """Whether the value is at or beyond its limit; NaN is beyond every limit."""
        return not (value < limit if self.too == "high" else value > limit)


THRESHOLDS: dict[Indicator, _Threshold] = {
    "discriminator_wins": _Threshold(
        "health/discriminator_accuracy",
        "high",
        "the discriminator tells nearly all photos apart and leaves the generator nothing to learn from:"
        " lower its learning rate or its updates, smooth real_label, or add instance noise",
    ),
    "discriminator_lost": _Threshold(
        "health/discriminator_accuracy",
        "low",
        "the discriminator is wrong about nearly everything, or says the same of everything: raise its"
        " learning rate, or look at its labels",
    ),
    "gradient_norm": _Threshold(
        "health/gradient_norm",
        "high",
        "a net's gradient is very large: lower its learning rate, or the weight of the largest term",
    ),
    "adversarial_share": _Threshold(
        "health/adversarial_share",
        "high",
        "the generator is led by the adversarial terms alone: lower adversarial.weight, or raise that of the"
        " content",
    ),
    "diversity": _Threshold(
        "health/diversity",
        "low",
        "the restored photos are all alike, whatever the input (mode collapse): raise the content's weight,"
        " or lower the learning rates",
    ),
    "colour_shift_levels": _Threshold(
        "health/colour_shift_levels",
        "high",
        "the restored photos have a cast: add a colour_consistency or lab loss, or look at the normalisation"
        " layers",
    ),
    "checkerboard": _Threshold(
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
        limits: dict[Indicator, float | None] = {name: getattr(health, name) for name in THRESHOLDS}
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
            threshold = THRESHOLDS[name]
            if threshold.value not in values:
                continue
            value = values[threshold.value]
            if not threshold.crossed(value, limit):
                self._crossed.pop(name, None)
                continue
            self._crossed[name] = self._crossed.get(name, 0) + 1
            if self._crossed[name] == self._readings:
                words = (
                    f"{name} {value:.3g} for {self._readings} readings in a row (limit {limit:g}):"
                    f" {threshold.meaning}"
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
        self._crossed = {name: state[name] for name in THRESHOLDS if name in state}
