"""A mean over all workers of a training, which gradients flow through."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def worker_count() -> int:
    """How many workers train together; 1 where nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Sum(torch.autograd.Function):
    """Sum over the workers; what it hands back is the sum of what they send back, so that it can be
    differentiated any number of times.

    torch.distributed.nn has the same and warns that it will go; its successor is no public name.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result: Tensor = _Sum.apply(gradients[0])
        return result


def of_every_worker(value: Tensor, workers: int) -> Tensor:
    """Every worker's value, (workers, *shape), differentiable any number of times: one message there, one
    back.
    """
    own = torch.zeros(workers, *([1] * value.dim()), dtype=value.dtype, device=value.device)
    own[dist.get_rank()] = 1
    every: Tensor = _Sum.apply(own * value)
    return every


def mean_over_workers(value: Tensor, workers: int) -> Tensor:
    """Mean of a value that every worker has its own of, differentiable; workers: how many there
    are.
    """
    if workers == 1:
        return value
    total: Tensor = _Sum.apply(value)
    return total / workers
