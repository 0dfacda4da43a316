"""Who keeps a training's states, and who is told what happens in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from components.train.validate import Picture


class Store(Protocol):
    """Where the state goes; every worker calls save at the same moment, all but the leader with
    None.
    """

    in_background: bool  # whether `save` may be called by another thread, while the training goes on

    def load(self) -> bytes | None:
        """The newest state, None at the start."""
        ...

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Keep a state as the newest."""
        ...


class Observer(Protocol):
    """Who is told what happens; only the leader's is."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Readings at a position."""
        ...

    def picture(self, picture: Picture, images_seen: int) -> None:
        """A validation picture at a position."""
        ...

    def begin(self, images_seen: int) -> None:
        """The training starts, or goes on from there."""
        ...

    def advance(self, images: int, note: str) -> None:
        """So many more images are done."""
        ...

    def warn(self, words: str) -> None:
        """Something looks wrong; the training goes on."""
        ...
