"""A GPU that is not there. Tensors of torch's FakeTensorMode have a device, a shape, a type and an order of
memory, and no values: each operation checks that its arguments lie on one device. A second mode watches
what of it would have the processor wait for a real one.

Not seen here: how fast anything is, what values come out, and waits inside of a kernel's own launch.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from backward_in_python import run_backward
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format as _suggested
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from components.train import convolution_gradients

GPU = torch.device("cuda:0")
LAST = torch.channels_last
aten = torch.ops.aten
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
COPIES = {aten.clone.default, aten._to_copy.default, aten.copy_.default}
OURS, BACK = "/components/", "backward pass"


class WaitError(AssertionError):
    """The processor would wait for the GPU here."""


class _OneMode(FakeTensorMode):
    """Copies of its tensors are its own, too."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _OneMode:
        return self


class Watched(TorchDispatchMode):
    """What a computation asks of the GPU, operation by operation.

    counts: of operations by name. crossings: copies between processor and GPU that nobody waits for.
    convolutions: of forward passes by the order of memory of photos and of weights, and where ours asks;
    bordered is the order of torch's reflected borders, whose kernel on a GPU has one alone.
    reordered: copies whose result has another order, likewise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.crossings: list[str] = []
        self.convolutions: Counter[tuple[str, str, str]] = Counter()
        self.reordered: Counter[tuple[str, str]] = Counter()
        self._strict = False
        self._pinned, self._bordered = _Storages(), _Storages()

    @contextlib.contextmanager
    def without_a_wait(self) -> Iterator[None]:
        """Raise WaitError, as long as it lasts, where the processor would wait; count what is done."""
        self._strict = True
        try:
            yield
        finally:
            self._strict = False

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if operation is aten._pin_memory.default:  # which the fake mode does not know
            return self._pinned.add(args[0].clone())
        if self._strict:
            _need_no_value(operation, args, [leaf for leaf in tree_leaves((args, named)) if _is_there(leaf)])
            for way, here, non_blocking in _copies_between(operation, args, named):
                if not non_blocking:
                    raise WaitError(f"{way} is waited for")
                if here not in self._pinned:
                    raise WaitError(f"{way} goes by pageable memory")
                self.crossings.append(way)
        pins = named.pop("pin_memory", None)
        result = operation(*args, **named)
        if pins:
            self._pinned.add(result)
        if self._strict:
            self._count(operation, args, result)
        return result

    def _count(self, operation: Any, args: tuple[Any, ...], result: Any) -> None:
        self.counts[operation.overloadpacket.__name__] += 1
        if operation is aten.reflection_pad2d.default or (
            operation is aten._to_copy.default and args[0] in self._bordered
        ):
            self._bordered.add(result)
        elif operation is aten.convolution.default:
            photos = "bordered" if args[0] in self._bordered else order_of(args[0])
            self.convolutions[photos, order_of(args[1]), _place()] += 1
        elif operation in COPIES:
            before, after = (
                order_of(args[1] if operation is aten.copy_.default else args[0]),
                order_of(result),
            )
            if {before, after} == {"first", "last"}:
                self.reordered[f"{before} to {after}", _place()] += 1


class _Storages:
    """Tensors that share memory with some that were named."""

    def __init__(self) -> None:
        self._known: dict[int, StorageWeakRef] = {}

    def add(self, tensor: Tensor) -> Tensor:
        storage = StorageWeakRef(tensor.untyped_storage())
        self._known[storage.cdata] = storage
        return tensor

    def __contains__(self, tensor: Tensor) -> bool:
        storage = self._known.get(StorageWeakRef(tensor.untyped_storage()).cdata)
        return storage is not None and not storage.expired()


def _is_there(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and leaf.device.type == "cuda"


def _need_no_value(operation: Any, args: tuple[Any, ...], there: Sequence[Tensor]) -> None:
    """No operation may need a value of the GPU's to know what it gives, or how much."""
    if there and operation in INDEXED:
        places = [place for place in args[1] if place is not None]
        if any(place.dtype in (torch.bool, torch.uint8) for place in places):
            raise WaitError(f"{operation} by a mask counts what is true")
        if any(place.device.type == "cpu" and place.dim() for place in places):
            raise WaitError(f"{operation} takes places from pageable memory")
    elif there and {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(operation.tags):
        raise WaitError(f"{operation} needs a value that is on the GPU")


def _copies_between(
    operation: Any, args: tuple[Any, ...], named: dict[str, Any]
) -> Iterator[tuple[str, Tensor, bool]]:
    """In words, the side on the processor, and whether the processor goes on: each copy from one device to
    another that an operation is.
    """
    if operation is aten._to_copy.default:
        device = torch.device(named.get("device") or args[0].device)
        if device.type != args[0].device.type:
            here = args[0] if device.type == "cuda" else torch.empty(0)  # what comes is not pinned
            yield f"{operation} to {device.type}", here, bool(named.get("non_blocking"))
    elif operation in (aten.copy_.default, aten._foreach_copy_.default):
        one = operation is aten.copy_.default
        both = [(args[0], args[1])] if one else zip(args[0], args[1], strict=True)
        goes_on = bool(args[2] if len(args) > 2 else named.get("non_blocking"))
        for target, source in both:
            if target.device.type != source.device.type:
                here = source if source.device.type == "cpu" else target
                yield f"{operation} to {target.device.type}", here, goes_on


def order_of(tensor: Tensor) -> str:
    """Of memory: last, first, either where it is both, neither."""
    if tensor.dim() != 4:
        return "either"
    last, first = tensor.is_contiguous(memory_format=LAST), tensor.is_contiguous()
    return "either" if last and first else "last" if last else "first" if first else "neither"


def _place() -> str:
    """Where ours asks: its innermost line; in a backward pass torch does."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is run_backward.__code__:
            return BACK
        if OURS in frame.f_code.co_filename and frame.f_code.co_filename != convolution_gradients.__file__:
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
    return "elsewhere"


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


@contextlib.contextmanager
def fake_gpu() -> Iterator[Watched]:
    """Tensors of this block have no values and may say that they lie on a GPU. Stood in for, since torch
    asks the driver or has not taught its fake mode: that autocast and bfloat16 can be had, that cuDNN
    convolves, a net's way to a device, the engine of backward passes, pinned memory.
    """
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")  # as deepcopy does
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
        patch.setattr(nn.Module, "_apply", _apply)
        patch.setattr(torch._C, "_conv_determine_backend_memory_format", _as_cudnn)
        patch.setattr(torch.autograd, "_engine_run_backward", run_backward)
        with _OneMode(), Watched() as watched:
            yield watched
