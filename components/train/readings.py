"""What the steps say, summed on the device and read now and then: no step waits for a number."""

from __future__ import annotations

import time

import torch

from components.train.step.terms import Terms
from components.train.worker_group import World


class Readings:
    """Sums of what the steps gave, kept on the device until somebody reads their means."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sums: Terms = {}
        self._steps, self._images = 0, 0
        self._waited, self._since = 0.0, time.perf_counter()

    def add(self, terms: Terms, images: int, waited: float) -> None:
        """Take in one step's terms; waited: seconds the step stood still for data."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps, self._images, self._waited = (
            self._steps + 1,
            self._images + images,
            self._waited + waited,
        )

    def read(self) -> dict[str, float]:
        """Means over the steps and workers since the last reading, with speed and the share of time
        spent waiting for data.
        """
        if not self._steps:
            return {}
        names = sorted(self._sums)
        means = torch.stack([self._sums[name].float() for name in names]) / self._steps
        self._world.average([means])
        values = dict(zip(names, means.tolist(), strict=True))
        seconds = time.perf_counter() - self._since
        values |= {
            "speed/images_per_second": self._images / seconds,
            "speed/data_wait_share": self._waited / seconds,
        }
        self._sums, self._steps, self._images = {}, 0, 0
        self._waited, self._since = 0.0, time.perf_counter()
        return values
