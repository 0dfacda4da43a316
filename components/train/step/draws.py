"""The random numbers of one step. Each is named by what it is for and by the step's place in the
training, so that a resumed step draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from components.core.seeds import seed_of
from components.train.worker_group import World


@dataclass(frozen=True)
class StepDraws:
    """Numbers per sample are drawn for the whole batch and parted among the workers, so that together
    they draw what one would.

    images_seen: position in the training. batch: images of the step over all workers together; each is
    worked through as so many `frames` of its clip.
    """

    seed: int
    images_seen: int
    batch: int
    world: World
    part: tuple[int, int | None] = (
        0,
        None,
    )  # from, to: of this worker's photos, where they are worked through in parts
    frames: int = 1

    @property
    def photos(self) -> int:
        """Over all workers together."""
        return self.batch * self.frames

    def seed_dropout(self) -> None:
        """Let dropout begin where this step's begins; `WorkerDropout` parts it among the workers."""
        torch.manual_seed(seed_of(self.seed, "dropout", self.images_seen))

    def mix(self, update: int, index: int) -> Tensor:
        """One number in [0, 1] per sample, for an update of the discriminator of that index."""
        return self.per_sample(torch.rand, (), "mix", update, index)

    def noise(self, shape: Sequence[int], side: str, update: int) -> Tensor:
        """Normal numbers for each photo of this shape (3, h, w), on the real or the restored side."""
        return self.per_sample(torch.randn, shape, f"instance noise {side}", update)

    def per_sample(self, law: Callable[..., Tensor], shape: Sequence[int], name: str, *keys: int) -> Tensor:
        """This worker's (local batch, *shape) of what is drawn by a law of torch under a name."""
        source = torch.Generator().manual_seed(seed_of(self.seed, name, self.images_seen, *keys))
        whole = law(self.photos, *shape, generator=source)
        own = whole[self.world.rank :: self.world.size][slice(*self.part)]
        if self.world.device.type == "cuda":  # from pageable memory the way there would be waited for
            own = own.contiguous().pin_memory()
        return own.to(self.world.device, non_blocking=True)
