"""How many operations a step is, how much arithmetic, and how fast that is done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Step = Callable[[int], object]


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Counts what reaches the dispatcher: what a GPU would be launched for, views left out; and the
    arithmetic of convolutions and matrix products.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.all, self.casts, self.gflop = 0, 0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.all += 1
            self.casts += "_to_copy" in str(func)
        if func.overloadpacket in flop_registry:
            self.gflop += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=result) / 1e9
        return result


def operations(step: Step) -> str:
    """How many operations a step takes, in words."""
    counted = _counted(step)
    return f"{counted.all} operations a step, {counted.casts} of them casts"


def arithmetic(step: Step, precision: torch.dtype, working_s: float, device: torch.device) -> str:
    """How much arithmetic a step is and how much of it is done in a second, in words. working_s: processor
    seconds of a step.
    """
    gflop = _counted(step).gflop
    share = gflop / working_s / _fastest(precision, device)
    return (
        f"{gflop:.0f} GFLOP, {gflop / working_s:.0f} a processor second, {share:.0%} of a large"
        f" convolution's; convolutions take {_share_of_convolutions(step):.0%} of a step's time"
    )


def _share_of_convolutions(step: Step) -> float:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step(1001)
    times = {each.key: each.self_cpu_time_total for each in profile.key_averages()}
    share: float = sum(time for name, time in times.items() if "convolution" in name) / sum(times.values())
    return share


def _counted(step: Step) -> _Counted:
    counted = _Counted()
    with counted:
        step(1000)
    return counted


def _fastest(precision: torch.dtype, device: torch.device) -> float:
    """GFLOP a processor second of a convolution that has enough to do, in the order of memory that it is
    fastest in.
    """
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        x_NCHW, weight = (
            torch.rand(shape, device=device).to(precision).contiguous(memory_format=layout)
            for shape in ((4, 256, 66, 66), (256, 256, 3, 3))
        )
        rates = []
        for _ in range(6):
            worked = time.process_time()
            torch.conv2d(x_NCHW, weight)
            rates.append(2 * 4 * 64**2 * weight.numel() / 1e9 / (time.process_time() - worked))
        found.append(statistics.median(rates[1:]))
    return max(found)
