"""Whether a training is still one: NaN and losses that run away end it, signs of ill health warn or
send it back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from components.core.errors import DivergenceError
from components.train.config import TrainConfig
from components.train.health.of_terms import health_of_terms
from components.train.protocols import Observer
from components.train.training_progress import TrainingProgress
from components.train.worker_group import World


class Trouble(NamedTuple):
    """Why a training cannot go on as it is. lost: it fell far below what it was, so that the newest state
    may be ill already.
    """

    words: str
    lost: bool = False


class TrainingChecks:
    """Logs readings and looks at them. Each check gives the trouble in words when the training cannot
    go on as it is, and None when it can.
    """

    def __init__(
        self, config: TrainConfig, progress: TrainingProgress, world: World, observer: Observer
    ) -> None:
        self._config, self._progress, self._world, self._observer = config, progress, world, observer

    def check_steps(self, values: dict[str, float]) -> str | None:
        """Look at the readings of some steps."""
        return self._diverged(values) or self.check(values | health_of_terms(values))

    def check(self, values: Mapping[str, float]) -> str | None:
        """Log the values and say what is beyond its limit."""
        trouble = None
        at = self._progress.images_seen
        if self._world.leads:
            self._observer.scalars(values, at)
        # What an untrained net shows is no sign of anything.
        for complaint in self._progress.watch.look(values) if at else ():
            if self._world.leads:
                self._observer.warn(f"at image {at}: {complaint.words}")
            if self._config.rollback is not None and complaint.name in self._config.rollback.on:
                trouble = complaint.words
        return trouble

    def need_same_weights(self, nets: Sequence[nn.Module]) -> None:
        """Raises DivergenceError when the workers no longer hold the same weights."""
        if self._world.apart([weight for net in nets for weight in net.parameters()]):
            raise DivergenceError(
                f"the workers' weights were no longer the same at image {self._progress.images_seen}: a"
                " worker's memory, or what it runs, differs from the others'. No such state is kept; run"
                " again to go on from the last one, on other nodes if it comes again"
            )

    def _diverged(self, values: Mapping[str, float]) -> str | None:
        for name, value in values.items():
            if not math.isfinite(value) or (name.endswith("/total") and abs(value) > self._config.loss_limit):
                return (
                    f"{name} was {value:.4g} within the last {self._config.log_every} steps before image"
                    f" {self._progress.images_seen}"
                )
        return None
