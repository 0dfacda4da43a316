"""A GPU that is not there. Tensors of torch's FakeTensorMode have a device, a shape, a type and an order of
memory, and no values: each operation checks that its arguments lie on one device. A second mode
(watched_operations.py) looks at what of it would have the processor wait for a real one.

Not seen here: how fast anything is, what values come out, and waits inside of a kernel's own launch.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from backward_in_python import run_backward
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format as _suggested
from torch._subclasses.fake_tensor import FakeTensorMode
from watched_operations import LAST, Watched

GPU, NAME = torch.device("cuda:0"), "no GPU at all"
# Their caches hold tensors by device, which must not outlive the mode that they belong to.
KEEP_TENSORS = ("components.optics.device.", "components.metrics.")


class _OneMode(FakeTensorMode):
    """Copies of its tensors are its own, too; it asks no driver."""

    avoid_device_init = True

    def __deepcopy__(self, memo: dict[int, Any]) -> _OneMode:
        return self


class _Stream:
    """What is launched on a GPU, in its order."""

    def __init__(self, watched: Watched, device: torch.device) -> None:
        self.device, self._watched = device, watched

    def synchronize(self) -> None:
        """Wait for all of it."""
        self._watched.arrive(self.device, self._watched.coming(self.device))


class _Event:
    """A place in a stream."""

    def __init__(self, watched: Watched) -> None:
        self._watched, self._device, self._before = watched, GPU, None

    def record(self, stream: _Stream | None = None) -> None:
        """Here: of the current device, where no stream is named."""
        self._device = GPU if stream is None else stream.device
        self._before = self._watched.coming(self._device)

    def synchronize(self) -> None:
        """Wait for what was launched before it."""
        assert self._before is not None, "an event that was never recorded is waited for"
        self._watched.arrive(self._device, self._before)


def _as_cudnn(photos: Tensor, weights: Tensor, backend: object) -> torch.memory_format:
    """The order in which cuDNN convolves, and gives what it made: channels_last where either comes so
    (cudnn_conv_suggest_memory_format in ATen/native/ConvUtils.h). torch asks whether there is a cuDNN.
    """
    orders = [_suggested(tensor) for tensor in (photos, weights)]
    return LAST if LAST in orders else torch.contiguous_format


def _apply(net: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """torch's swaps tensors without values in place, which the fake mode's own references forbid."""
    for layer in net.children():
        _apply(layer, change)
    for name, weight in net._parameters.items():
        if weight is not None:
            with torch.no_grad():
                net._parameters[name] = nn.Parameter(change(weight), weight.requires_grad)
    for name, buffer in net._buffers.items():
        if buffer is not None:
            net._buffers[name] = change(buffer)
    return net


def _zeros(watched: Watched, tensor: Tensor) -> np.ndarray[Any, Any]:
    """For numpy, in the place of values that are not there."""
    assert tensor.device.type == "cpu", "numpy looks into the processor's memory alone"
    watched.need_arrived(tensor)
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _without_values(array: np.ndarray[Any, Any]) -> Tensor:
    return torch.empty(array.shape, dtype=getattr(torch, array.dtype.name))


def _forget_tensors() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(KEEP_TENSORS):
            for function in vars(module).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()


def _stand_in(patch: pytest.MonkeyPatch, watched: Watched) -> None:
    """What torch asks the driver for, or has not taught its fake mode."""
    patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    patch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.accelerator, "is_available", lambda **_: True)
    patch.setattr(torch.cuda, "device_count", lambda: 1)
    patch.setattr(torch.cuda, "current_device", lambda: 0)
    patch.setattr(torch.cuda, "get_device_name", lambda *_: NAME)
    patch.setattr(torch.cuda, "current_stream", lambda device=GPU: _Stream(watched, torch.device(device)))
    patch.setattr(torch.cuda, "Event", lambda: _Event(watched))
    patch.setattr(torch.cuda, "get_rng_state", lambda *_: torch.empty(0))
    patch.setattr(torch.cuda, "set_rng_state", lambda *_: None)
    patch.setattr(nn.Module, "_apply", _apply)
    patch.setattr(torch._C, "_conv_determine_backend_memory_format", _as_cudnn)
    patch.setattr(torch.autograd, "_engine_run_backward", run_backward)
    patch.setattr(torch, "from_numpy", _without_values)
    patch.setattr(torch.Tensor, "numpy", lambda tensor: _zeros(watched, tensor))


@contextlib.contextmanager
def fake_gpu() -> Iterator[Watched]:
    """Tensors of this block have no values and may say that they lie on a GPU. Stood in for: that there is
    one, its streams and events, that autocast and bfloat16 can be had, that cuDNN convolves, a net's way to
    a device, the engine of backward passes, pinned memory, numpy.
    """
    _forget_tensors()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")  # as deepcopy does
        with _OneMode(allow_non_fake_inputs=True), Watched() as watched:
            _stand_in(patch, watched)
            yield watched
    _forget_tensors()
