"""The precision that forward passes and losses are computed in: the one place where it is set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from components.nets.choices import Precision

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # read when CUDA starts
Loss = Callable[[Tensor, Tensor], Tensor]


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context of a forward pass."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def computing(precision: Precision, *, deterministic: bool) -> Iterator[None]:
    """How this process computes for as long as the block lasts; the settings come back.

    NVIDIA's GPUs round the factors of convolutions to 10 bits of mantissa (TF32) unless told otherwise:
    only tf32 lets them, also in what bf16 leaves in float32. deterministic: the same bits each time on
    the same device; torch raises where an operation has no such way. Otherwise cuDNN takes the
    fastest of its ways by trying.
    """
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    strict, warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cuda.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault(CUBLAS, ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
        if deterministic:  # else it is as it was, and to ask imports torch's compiler: 1.4 s
            torch.use_deterministic_algorithms(strict, warn_only=warns)


def in_float32(loss: Loss) -> Loss:
    """The loss in float32 also under bfloat16 autocast: differences of nearly equal sums drown in
    eight bits.
    """

    def precise(restored: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(restored.device.type, enabled=False):
            return loss(restored.float(), target.float())

    return precise
