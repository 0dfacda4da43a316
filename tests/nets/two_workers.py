"""What one of two processes does: its half of a batch through the shared batch normalisation,
forward and back, and back again.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from components.nets.modules.norms import SharedBatchNorm2d


def batch() -> Tensor:
    """Four photos, far from mean 0."""
    return torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(1)) * 2 + 7


def layer() -> SharedBatchNorm2d:
    norm = SharedBatchNorm2d(3, momentum=0.3)
    source = torch.Generator().manual_seed(2)
    nn.init.uniform_(norm.weight, 0.5, 2.0, generator=source)
    nn.init.uniform_(norm.bias, -1.0, 1.0, generator=source)
    return norm


def results(photos: Tensor) -> dict[str, Tensor]:
    """Output, gradients, second gradients (of the squared first ones, as a gradient penalty takes
    them) and running statistics.
    """
    norm = layer()
    photos = photos.clone().requires_grad_()
    output = norm(photos)
    (slope,) = torch.autograd.grad(output.pow(3).sum(), photos, create_graph=True)
    slope.square().sum().backward()
    assert photos.grad is not None
    assert norm.weight.grad is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return {
        "output": output.detach(),
        "slope": slope.detach(),
        "second": photos.grad,
        "weight": norm.weight.grad,
        "mean": norm.running_mean,
        "variance": norm.running_var,
    }


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    torch.save(results(batch()[2 * rank : 2 * rank + 2]), Path(folder) / f"{rank}.pt")
    torch.distributed.barrier()  # neither leaves while the other still sends
    torch.distributed.destroy_process_group()
