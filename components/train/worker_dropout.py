"""Dropout that is drawn for the batch of all workers and parted among them, so that their number changes
no result.
"""

from __future__ import annotations

from torch import Tensor, nn

from components.nets.modules.dropout import BitDropout
from components.train.worker_group import World


class WorkerDropout(BitDropout):
    """Dropout of this worker's photos, every `size`-th of the batch. All workers must draw from the
    same seed.
    """

    def __init__(self, p: float, world: World) -> None:
        super().__init__(p)
        self.rank, self.size = world.rank, world.size

    def mask(self, x_NCHW: Tensor, photos: int) -> Tensor:
        """Of the whole batch what falls to this worker."""
        return super().mask(x_NCHW, self.size * photos)[self.rank :: self.size]


def draw_dropout_over_workers(net: nn.Module, world: World) -> None:
    """Put the parted kind in the place of every dropout layer; alone nothing changes."""
    if world.size == 1:
        return
    for module in net.modules():
        for name, layer in module.named_children():
            if type(layer) is BitDropout:
                setattr(module, name, WorkerDropout(layer.p, world))
