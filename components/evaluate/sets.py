"""Metrics of the whole test set: features are kept photo by photo, distances come at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from components.core.images import Bytes8
from components.metrics import SET_METRICS
from components.metrics.sets import Features

Extract = Callable[[Bytes8], Features]


class WholeSet:
    """Sees every photo of a split once and then says how far the restored photos, and the baseline,
    are from the targets as sets.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.metrics = [SET_METRICS[name] for name in names]
        self._seen: dict[Extract, list[tuple[Features, Features, Features]]] = defaultdict(list)
        self._targets: dict[Extract, list[Features]] = defaultdict(list)

    def see(self, restored: Bytes8, nothing: Bytes8, target: Bytes8) -> None:
        """Keep what each metric's net sees in a photo: (H, W, 3) uint8 each."""
        for extract in dict.fromkeys(metric.features for metric in self.metrics):
            self._seen[extract].append((extract(restored), extract(nothing), extract(target)))

    def see_target(self, target: Bytes8) -> None:
        """Keep what each metric's net sees in a picture of the other domain, where there are no pairs."""
        for extract in dict.fromkeys(metric.features for metric in self.metrics):
            self._targets[extract].append(extract(target))

    def values(self) -> tuple[dict[str, float], dict[str, float]]:
        """By metric name: of the restored photos, and of the baseline."""
        restored, nothing = {}, {}
        for metric in self.metrics:
            made, untouched, wanted = (
                np.stack(column) for column in zip(*self._seen[metric.features], strict=True)
            )
            if self._targets:
                wanted = np.stack(self._targets[metric.features])
            restored[metric.name] = metric.function(made, wanted)
            nothing[metric.name] = metric.function(untouched, wanted)
        return restored, nothing
