"""Where a training stands beside its weights: position, phase, patience, the best generator so far,
rollbacks. All of it survives a restart.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from torch import Tensor, nn

from components.metrics import METRICS
from components.train.config import Phase, TrainConfig
from components.train.health.watch import Watch


class TrainingProgress:
    """The position of one training; `state` gives it as plain numbers and tensors."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self.watch = Watch(config.health, critic=config.adversarial is not None and config.adversarial.critic)
        self.images_seen, self.phase, self.phase_start = 0, 0, 0
        self.rollbacks = 0
        self._peak: float | None = None  # best PSNR validated in this phase
        self.is_at_peak = True  # the state as it stands is the best of the phase
        self.stopped_early: list[str] = []  # names of phases
        self._best_of_phase: float | None = None
        self._groups_of_phase: list[float] = []  # of the best: its values by group
        self.validation_due = False  # the step is done, its validation is not
        self._waited = 0  # validations without a better value
        self.best: dict[str, Any] | None = None  # value, images_seen and weights, when the best is to be kept

    @property
    def current(self) -> Phase | None:
        """The phase that runs, None when all are done."""
        return self._config.phases[self.phase] if self.phase < len(self._config.phases) else None

    @property
    def lr_multiplier(self) -> float:
        """What rollbacks have left of the learning rates."""
        return float(self._config.rollback.factor**self.rollbacks) if self._config.rollback else 1.0

    def next_phase(self) -> None:
        """The phase is over, whatever was left of it."""
        self.phase, self.phase_start = self.phase + 1, self.images_seen
        self._peak, self.is_at_peak = None, True
        self._best_of_phase, self._groups_of_phase, self._waited = None, [], 0

    def lost(self, scores: Mapping[str, float]) -> str | None:
        """Take in a validation's PSNR: in words how much was lost, when it is more than rollback allows."""
        name = next((one for one in self._config.validate_metrics if one.startswith("psnr")), None)
        settings, phase = self._config.rollback, self.current
        if name is None or settings is None or settings.lost_db is None or phase is None:
            return None
        value, gain = scores[f"validation/{name}"], scores[f"validation/{name}_gain"]
        self.is_at_peak = self._peak is None or value >= self._peak
        if self._peak is None or self.is_at_peak:
            self._peak = value
        elif value < self._peak - settings.lost_db and (not phase.adversarial or gain < 0):
            return (
                f"{name} of the validation fell to {METRICS[name].text(value)}, {self._peak - value:.1f}"
                " below the phase's best"
            )
        return None

    def take_validation(
        self,
        scores: Mapping[str, float],
        average: nn.Module,
        *,
        further: Sequence[nn.Module] = (),
        over: bool = False,
        by_group: Mapping[str, Sequence[float]] | None = None,
    ) -> bool:
        """Take in a validation: remember the best generator. Gives whether the phase is over, by
        its length (`over`) or as its patience is at its end.

        further: averages of other generators that are kept beside it.
        by_group: values by metric and independent group. A value is better when its gain is above
        its standard error over the groups; without them, above nothing.
        """
        groups = by_group or {}
        if (name := self._config.keep_best) is not None:
            value = scores[f"validation/{name}"]
            now, before = groups.get(name, ()), () if self.best is None else self.best["by_group"]
            if self.best is None or METRICS[name].gain(value, self.best["value"]) > noise(now, before):
                weights: dict[str, Tensor] = copy.deepcopy(average.state_dict())
                self.best = {
                    "value": value,
                    "by_group": list(now),
                    "images_seen": self.images_seen,
                    "weights": weights,
                    "further": [copy.deepcopy(net.state_dict()) for net in further],
                }
        phase = self.current
        rule = phase.early_stopping if phase is not None else None
        if phase is None or rule is None:
            return over
        value, now = scores[f"validation/{rule.metric}"], groups.get(rule.metric, ())
        least = max(rule.least, noise(now, self._groups_of_phase))
        if self._best_of_phase is None or METRICS[rule.metric].gain(value, self._best_of_phase) > least:
            self._best_of_phase, self._groups_of_phase, self._waited = value, list(now), 0
            return over
        self._waited += 1
        if over or self._waited < rule.patience:
            return over
        self.stopped_early.append(phase.name)
        return True

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "images_seen": self.images_seen,
            "phase": self.phase,
            "phase_start": self.phase_start,
            "rollbacks": self.rollbacks,
            "peak": self._peak,
            "is_at_peak": self.is_at_peak,
            "stopped_early": list(self.stopped_early),
            "best_of_phase": self._best_of_phase,
            "groups_of_phase": list(self._groups_of_phase),
            "waited": self._waited,
            "best": self.best,
            "watch": self.watch.state(),
            "validation_due": self.validation_due,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.images_seen, self.phase, self.phase_start = (
            state["images_seen"],
            state["phase"],
            state["phase_start"],
        )
        self._peak, self.is_at_peak = state["peak"], state["is_at_peak"]
        self.rollbacks, self.stopped_early = state["rollbacks"], list(state["stopped_early"])
        self._best_of_phase, self._waited = state["best_of_phase"], state["waited"]
        self._groups_of_phase = list(state["groups_of_phase"])
        self.best, self.validation_due = state["best"], state["validation_due"]
        self.watch.load_state(state["watch"])


def noise(now: Sequence[float], before: Sequence[float]) -> float:
    """Standard error of the mean difference of two validations on the same groups; 0 where it
    cannot be told.

    >>> noise([1.0, 3.0], [0.0, 0.0])
    1.0
    """
    if len(now) != len(before) or len(now) < 2:
        return 0.0
    return stdev(ours - theirs for ours, theirs in zip(now, before, strict=True)) / math.sqrt(len(now))
