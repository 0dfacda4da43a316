"""Ray Train's trainer, with workers in numbers that part a batch evenly, and with signals left to us.

Ray takes as many workers as find room between the least and the most. A global batch of 8 parts
over 2 and 4 of them, not over 3: where there is room for 3, 2 work.
"""

from __future__ import annotations

from typing import Any

from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy


class Even(ElasticScalingPolicy):  # type: ignore[misc]
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
        return super()._initialize_and_run_controller(**settings)

    def _register_sigint_handler(self, controller: Any) -> None:
        """Ctrl-C is ours (ending.py): Ray would abort at once, and end this process with code 0."""
        self._controller = controller

    def abort(self) -> None:
        """End the workers, and with them `fit`, which then raises; nothing before there are any."""
        if self._controller is not None:
            self._controller.abort.remote()
