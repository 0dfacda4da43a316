"""Which step of a phase takes fresh pictures: every one, or every K-th."""

from __future__ import annotations

from typing import NamedTuple


class Visits(NamedTuple):
    """In K steps in a row each place of a batch keeps its picture, of which every step takes another crop:
    data echoing before augmentation (Choi, Passos, Shallue & Dahl 2019, "Faster Neural Network Training
    with Data Echoing", arXiv 1907.05550, sec. 3.1), across batches, since a batch of one photo's crops
    says less than a batch of many photos'.

    start: position of the phase's first image. batch: images a step, of all workers. crops: K. So a worker
    keeps its pictures whatever the number of workers, and the order stays a function of position.
    """

    start: int = 0
    batch: int = 1
    crops: int = 1

    def number(self, position: int) -> int:
        """The visit that the image at a position belongs to, counted as positions are.

        >>> [Visits(batch=2, crops=3).number(position) for position in range(8)]
        [0, 1, 0, 1, 0, 1, 2, 3]
        """
        step, slot = divmod(position - self.start, self.batch)
        return self.start + step // self.crops * self.batch + slot

    def end(self, position: int) -> int:
        """Where the visits end that the step from a position on belongs to.

        >>> [Visits(batch=2, crops=3).end(position) for position in (0, 2, 4, 6)]
        [6, 6, 6, 12]
        """
        whole = self.crops * self.batch
        return self.start + ((position - self.start) // whole + 1) * whole


EVERY_STEP = Visits()
