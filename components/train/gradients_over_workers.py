"""The gradients of one optimiser's nets, averaged over the workers while the backward pass still runs.

A backward pass is done with the last layer first. So the weights lie in buckets in the reverse of the order
that they are defined in, and a bucket sets out as soon as its gradients are whole, while the pass goes on to
the layers in front (Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel
Training", VLDB, sec. 3.2.3). Where one compiled graph makes all gradients of a net, they come at its end.

Hooks hang on the weights during that one pass only: nothing is wrapped around a net, and a gradient penalty
(a backward pass inside the loss), several passes before a step, several nets in one pass or frozen nets
need no special care.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from components.train.worker_group import World

# The first is small, so that sending begins early. The others are large enough that a message's start, tens
# of microseconds by NCCL or by TCP, is little beside its way, and small enough that a net of 50 MB has
# several and little is left to send when the pass ends.
FIRST_BYTES = 2**20
BUCKET_BYTES = 8 * 2**20

Buckets = Sequence[Sequence[nn.Parameter]]


class GradientsOverWorkers:
    """Backward passes through some nets, after which each weight's gradient is its mean over the workers.

    Which bucket a weight lies in hangs on the nets alone, never on when a gradient came: the workers' sums
    are the same bits in every pass, also in the first after a restart. Of two workers they are those of any
    other parting; of more, NCCL and Gloo add in an order that hangs on the place in the message.
    """

    def __init__(
        self,
        nets: Sequence[nn.Module],
        world: World,
        *,
        first_bytes: int = FIRST_BYTES,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        """nets: in the order in which a step uses them first. first_bytes, bucket_bytes: most of the first
        bucket and of each further one; a larger weight has a bucket of its own.
        """
        self._world = world
        self._weights = [list(net.parameters()) for net in nets]
        defined = [weight for weights in self._weights for weight in weights]
        self._buckets = _in_buckets(defined[::-1], first_bytes, bucket_bytes)

    def backward(self, loss: Tensor, *, last: bool = True) -> None:
        """Add a loss's gradients to what is there. last: before the step, so that they are averaged too.

        All workers must go through the same graph; a weight that is no part of it holds those behind it back
        until the pass has ended. Alone it is torch's own backward pass. Where that raises, so does this, at
        once: what is on its way already arrives where the workers failed at the same place; where they did
        not, they are out of step, and the training ends.
        """
        if self._world.size == 1 or not last:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        sending = _Sending(self._buckets)
        hooks = [
            weight.register_post_accumulate_grad_hook(partial(sending.count_in, place))  # type: ignore[no-untyped-call]
            for place, bucket in enumerate(self._buckets)
            for weight in bucket
            if weight.requires_grad
        ]
        try:
            loss.backward()  # type: ignore[no-untyped-call]
        finally:
            for hook in hooks:
                hook.remove()
        sending.finish(self._world.size)

    def norms(self) -> list[Tensor]:
        """The norm of each net's gradients as they are."""
        return [
            torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
            for weights in self._weights
        ]


class _Sending:
    """What has been sent in one backward pass.

    A bucket waits for all those before it: all workers send the same messages in the same order, on which
    both NCCL and Gloo insist.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._missing = [sum(weight.requires_grad for weight in bucket) for bucket in buckets]
        self._next = 0
        self._on_the_way: list[tuple[list[Tensor], Tensor, dist.Work]] = []

    def count_in(self, place: int, _: Tensor) -> None:
        """A gradient of the bucket at that place is whole."""
        self._missing[place] -= 1
        while self._next < len(self._buckets) and not self._missing[self._next]:
            self._send()

    def finish(self, workers: int) -> None:
        """Send what is left, as of weights that got no gradient in this pass, and put the means in place."""
        while self._next < len(self._buckets):
            self._send()
        for gradients, flat, work in self._on_the_way:
            work.wait()
            flat.div_(workers)
            parts = torch.split(flat, [gradient.numel() for gradient in gradients])
            means = [part.view_as(own) for own, part in zip(gradients, parts, strict=True)]
            torch._foreach_copy_(gradients, means)

    def _send(self) -> None:
        """Begin to add up the next bucket's gradients over the workers."""
        bucket = self._buckets[self._next]
        self._next += 1
        gradients = [weight.grad for weight in bucket if weight.grad is not None]
        if gradients:
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            self._on_the_way.append((gradients, flat, dist.all_reduce(flat, async_op=True)))


def _in_buckets(weights: Sequence[nn.Parameter], first_bytes: int, bucket_bytes: int) -> Buckets:
    """Weights in their order, parted where a bucket would become larger than it may be."""
    buckets: list[list[nn.Parameter]] = []
    held = 0
    for weight in weights:
        most = first_bytes if len(buckets) == 1 else bucket_bytes
        if not buckets or held + weight.nbytes > most:
            buckets.append([])
            held = 0
        buckets[-1].append(weight)
        held += weight.nbytes
    return buckets
