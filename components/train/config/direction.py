"""From which domain to which a generator maps, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from components.nets.generators import Generator

One = TypeVar("One")


@dataclass(frozen=True)
class Direction:
    """One way between the two domains of a training.

    reads: place of its inputs in a batch, 0 or 1; its targets stand at the other.
    seed: of its nets' first weights and of all that is drawn for it.
    suffix: what its terms' names have behind the net's, "" for the way from input to target.
    """

    reads: int
    generator: Generator
    seed: int
    suffix: str = ""

    def view(self, batch: tuple[One, One]) -> tuple[One, One]:
        """A batch as this way has it: (input, target)."""
        return batch[self.reads], batch[1 - self.reads]
