"""The middle of real and of restored logits."""

from __future__ import annotations

import torch
from torch import Tensor

from components.nets.modules.over_workers import mean_over_workers, worker_count


def batch_means(on_real: Tensor, on_restored: Tensor) -> Tensor:
    """The two means over the batch of all workers together, (2,), with their graph: worker count
    changes no result.
    """
    return mean_over_workers(torch.stack([on_real.mean(), on_restored.mean()]), worker_count())
