"""A training that is asked to end before its end."""

from __future__ import annotations

from collections.abc import Callable

from components.core import stopping
from components.train.worker_group import World


class EndedError(Exception):
    """Leaves the training where its state has been kept."""


class Ending:
    """Whether the end is asked for, by a signal to this process or, where it is a worker of Ray's, to the
    one that started it. Workers hear of it at different moments, and have one answer a step together.
    """

    def __init__(self, world: World, own: stopping.Deferral, asked: Callable[[], bool]) -> None:
        """asked: whether whoever started this worker asks for the end."""
        self._world = world
        self._here: Callable[[], bool] = lambda: own.asked or asked()
        self._answer: Callable[[], bool] = self._here

    def ask(self) -> None:
        """Before a step: what is asked among the workers is answered while they work on it."""
        self._answer = self._world.any(self._here)

    def is_asked(self) -> bool:
        """After the step: whether to end here."""
        return self._answer()
