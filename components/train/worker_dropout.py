"""Dropout that is drawn for the batch of all workers and parted among them, so that their number changes
no result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.train.worker_group import World


class WorkerDropout(nn.Dropout):
    """Dropout of this worker's photos, every `size`-th of the batch. All workers must draw from the
    same seed.
    """

    def __init__(self, p: float, world: World) -> None:
        super().__init__(p)
        self.rank, self.size = world.rank, world.size

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if not self.training:
            return x_NCHW
        # Draws follow the memory's order, so the layout must be that of the photos.
        last = x_NCHW.dim() == 4 and x_NCHW.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        whole = x_NCHW.new_ones((self.size * len(x_NCHW), *x_NCHW.shape[1:])).contiguous(memory_format=layout)
        return x_NCHW * F.dropout(whole, self.p)[self.rank :: self.size]


def draw_dropout_over_workers(net: nn.Module, world: World) -> None:
    """Put the parted kind in the place of every dropout layer; alone nothing changes."""
    if world.size == 1:
        return
    for module in net.modules():
        for name, layer in module.named_children():
            if type(layer) is nn.Dropout:
                setattr(module, name, WorkerDropout(layer.p, world))
