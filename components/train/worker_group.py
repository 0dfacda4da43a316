"""The workers of one training seen from one of them: who am I, average this, add that up. Gradients are
averaged by gradients_over_workers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class World:
    """This worker's place. The batch is parted evenly, so averaging the workers' means gives the
    batch's mean.
    """

    rank: int
    size: int
    device: torch.device

    @classmethod
    def alone(cls, device: torch.device) -> World:
        """One process, no communication."""
        return cls(0, 1, device)

    @classmethod
    def of_process_group(cls, device: torch.device) -> World:
        """The group that Ray Train has started; alone when there is none."""
        if not dist.is_initialized():
            return cls.alone(device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def leads(self) -> bool:
        """Whether this worker writes and logs."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the workers."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, part in zip(
            tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(part.view_as(tensor))

    def apart(self, weights: Sequence[Tensor]) -> bool:
        """Whether any bit of the workers' float32 weights differs: the same answer on all of them, by one
        short message.
        """
        if self.size == 1 or not weights:
            return False
        sums = torch.stack(
            [weight.detach().contiguous().view(torch.int32).sum(dtype=torch.int64) for weight in weights]
        )
        both = torch.cat([sums, -sums])
        dist.all_reduce(both, dist.ReduceOp.MAX)
        return not torch.equal(both[: len(sums)], -both[len(sums) :])

    def any(self, flag: Callable[[], bool]) -> Callable[[], bool]:
        """Begin to ask whether a flag is up on any worker; what is given waits for the answer, which is
        the same on all of them. Alone, the flag itself.
        """
        if self.size == 1:
            return flag
        told = torch.full((1,), float(flag()), device=self.device)
        work = dist.all_reduce(told, async_op=True)
        wait: Callable[[], object] = work.wait
        if self.device.type == "cuda":  # what is launched after this is not waited for
            work.wait()
            there = torch.empty_like(told, device="cpu", pin_memory=True).copy_(told, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record(torch.cuda.current_stream(self.device))
            wait, told = arrived.synchronize, there

        def answer() -> bool:
            wait()
            return bool(told.item())

        return answer

    def total(self, values: Tensor) -> Tensor:
        """The sum over the workers."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, photos: Tensor) -> Tensor:
        """Every worker's photos (local batch, ...) as the whole batch (local batch × size, ...), in the order
        one worker would have them.
        """
        if self.size == 1:
            return photos
        parts = [torch.empty_like(photos, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(parts, photos.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)
