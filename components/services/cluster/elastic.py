"""Ray Train's trainer, with workers in numbers that part a batch evenly, and with signals left to us.

Ray takes as many workers as find room between the least and the most. A global batch of 8 parts
over 2 and 4 of them, not over 3: where there is room for 3, 2 work.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, FixedScalingPolicy

from components.services.cluster import room_left

LOOK_S = 20.0  # from one look at what killed drivers hold to the next; Ray's own request is as often


class _OfItsJob:
    """A policy whose request for room names the Ray job that it is of, and that gives back what jobs of ours
    asked for which are dead (room_left.py).
    """

    _looked_s = float("-inf")

    def after_controller_start(self, train_run_context: Any) -> None:
        """Ask for room, under a name that tells the job."""
        named = room_left.named_by_its_job(train_run_context.run_id)
        super().after_controller_start(SimpleNamespace(run_id=named))  # type: ignore[misc]

    def _get_reserved_resources(self) -> Any:
        if time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s = time.monotonic()
            room_left.give_back(self._autoscaling_coordinator)  # type: ignore[attr-defined]
        return super()._get_reserved_resources()  # type: ignore[misc]


class Fixed(_OfItsJob, FixedScalingPolicy):  # type: ignore[misc]
    """So many workers."""


class Even(_OfItsJob, ElasticScalingPolicy):  # type: ignore[misc]
    """As many workers as find room, in one of certain numbers."""

    def __init__(self, scaling_config: ScalingConfig, counts: tuple[int, ...]) -> None:
        super().__init__(scaling_config)
        self._counts = counts

    def _count_possible_workers(self, reserved_resources: Any) -> int:
        most = super()._count_possible_workers(reserved_resources)
        return max((count for count in self._counts if count <= most), default=0)


class EvenTrainer(TorchTrainer):  # type: ignore[misc]
    """A TorchTrainer whose workers come in certain numbers, and which another thread may abort."""

    counts: tuple[int, ...] = ()
    _controller: Any = None

    def _initialize_and_run_controller(self, **settings: Any) -> Any:
        if self.scaling_config.elasticity_enabled:
            settings["scaling_policy"] = Even(self.scaling_config, self.counts)
        else:
            settings["scaling_policy"] = Fixed(self.scaling_config)
        return super()._initialize_and_run_controller(**settings)

    def _register_sigint_handler(self, controller: Any) -> None:
        """Ctrl-C is ours (ending.py): Ray would abort at once, and end this process with code 0."""
        self._controller = controller

    def abort(self) -> None:
        """End the workers, and with them `fit`, which then raises; nothing before there are any."""
        if self._controller is not None:
            self._controller.abort.remote()
