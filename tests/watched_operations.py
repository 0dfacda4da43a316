"""Watches what a computation asks of a GPU that is not there (fake_gpu.py): where the processor would wait
for it, what is read before it has come from there, and in which order of memory things lie.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from backward_in_python import run_backward
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from components.nets.modules import convolution_gradients

GPU = torch.device("cuda:0")
LAST = torch.channels_last
aten = torch.ops.aten
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
COPIES = {aten.clone.default, aten._to_copy.default, aten.copy_.default}
ONE_COPY, MANY_COPIES = aten.copy_.default, aten._foreach_copy_.default
FUSED = {aten._fused_adam_.default, aten._fused_adamw_.default}
NUMBERS = {aten._local_scalar_dense.default, aten.equal.default}
HALF = 0.5
OURS, BACK = "/components/", "backward pass"


class WaitError(AssertionError):
    """The processor would wait for the GPU here."""


class Watched(TorchDispatchMode):
    """What a computation asks of the GPU, operation by operation.

    counts: of operations by name. crossings: copies between processor and GPU that nobody waits for.
    waits: for a stream or an event, at which what is on its way arrives. waited: where it may wait, other
    waits by the function of ours that asks.
    types: of what comes to convolutions.
    convolutions: of forward passes by the order of memory of photos and of weights, and where ours asks;
    bordered is the order of torch's reflected borders, whose kernel on a GPU has one alone.
    reordered: copies whose result has another order, likewise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.crossings: list[str] = []
        self.waits = 0
        self.waited: Counter[str] = Counter()
        self.types: Counter[torch.dtype] = Counter()
        self.convolutions: Counter[tuple[str, str, str]] = Counter()
        self.reordered: Counter[tuple[str, str]] = Counter()
        self._strict = False
        self._pinned, self._bordered = _Storages(), _Storages()
        self._coming: dict[torch.device, _Storages] = defaultdict(_Storages)

    @contextlib.contextmanager
    def without_a_wait(self) -> Iterator[None]:
        """Raise WaitError, as long as it lasts, where the processor would wait for less than a stream or an
        event; count what is done. Where it may wait, a number that it asks for is HALF, and a truth True.
        """
        self._strict = True
        try:
            yield
        finally:
            self._strict = False

    def is_pinned(self, tensor: Tensor) -> bool:
        """Whether it lies in pinned memory."""
        return tensor in self._pinned

    def coming(self, device: torch.device) -> _Storages:
        """What is on its way from a GPU as of now."""
        return self._coming.get(device, _Storages()).without(_Storages())

    def arrive(self, device: torch.device, what: _Storages) -> None:
        """The processor waits until that has come."""
        self.waits += 1
        left = self._coming.pop(device, _Storages()).without(what)
        if left:
            self._coming[device] = left

    def need_arrived(self, tensor: Tensor) -> None:
        """Raises WaitError where a tensor is still on its way from a GPU."""
        if any(tensor in storages for storages in self._coming.values()):
            raise WaitError("it is read before it has come from the GPU")

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if operation is torch.ops.prim.device.default:  # more than half of what is asked
            return args[0].fake_device
        named = dict(kwargs or {})
        if _is_of_others(operation):  # in inference mode; autograd takes these apart itself
            with self:
                return operation.decompose(*args, **named)
        if self._coming and not operation.is_view:
            for read in _read(operation, args, named):
                self.need_arrived(read)
        if operation is aten._pin_memory.default:  # which the fake mode does not know
            return self._pinned.add(args[0].clone())
        crossed = list(_copies_between(operation, args, named))
        for words in _waits(operation, args, named, crossed, self._pinned):
            if self._strict:
                raise WaitError(words)
            self.waited[_function()] += 1
        if self._strict:
            self.crossings += [way for way, *_ in crossed]
        if operation in FUSED:
            _need_one_order(*args[:4])
        pins = named.pop("pin_memory", None)
        result = self._result(operation, args, named)
        if pins:
            self._pinned.add(result)
        if operation in (ONE_COPY, MANY_COPIES):
            self._set_out(args, crossed)
        if self._strict:
            self._count(operation, args, result)
        return result

    def _result(self, operation: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        try:
            return operation(*args, **named)
        except DataDependentOutputException:
            if self._strict or operation not in NUMBERS:
                raise
            if operation is aten.equal.default or args[0].dtype == torch.bool:
                return True
            return HALF if args[0].is_floating_point() else 1

    def _set_out(self, args: tuple[Any, ...], crossed: Sequence[tuple[str, Tensor, bool]]) -> None:
        """Remember what comes from a GPU without a wait."""
        sources = args[1] if isinstance(args[1], list | tuple) else [args[1]]
        device = next((source.device for source in sources if source.device.type == "cuda"), None)
        for _, here, non_blocking in crossed:
            if device is not None and non_blocking:
                self._coming[device].add(here)

    def _count(self, operation: Any, args: tuple[Any, ...], result: Any) -> None:
        self.counts[operation.overloadpacket.__name__] += 1
        if operation is aten.reflection_pad2d.default or (
            operation is aten._to_copy.default and args[0] in self._bordered
        ):
            self._bordered.add(result)
        elif operation is aten.convolution.default:
            photos = "bordered" if args[0] in self._bordered else order_of(args[0])
            self.convolutions[photos, order_of(args[1]), _place()] += 1
            self.types[args[0].dtype] += 1
        elif operation in COPIES:
            before, after = order_of(args[1] if operation is ONE_COPY else args[0]), order_of(result)
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

    def __len__(self) -> int:
        return len(self._known)

    def without(self, others: _Storages) -> _Storages:
        """Those that others are not."""
        left = _Storages()
        left._known = {at: storage for at, storage in self._known.items() if at not in others._known}
        return left


def _is_there(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and leaf.device.type == "cuda"


def _waits(
    operation: Any,
    args: tuple[Any, ...],
    named: dict[str, Any],
    crossed: Sequence[tuple[str, Tensor, bool]],
    pinned: _Storages,
) -> Iterator[str]:
    """In words, why the processor would wait: for a copy, or for a value of the GPU's without which it does
    not know what an operation gives, or how much.
    """
    for way, here, goes_on in crossed:
        if not goes_on:
            yield f"{way} is waited for"
        elif here not in pinned:
            yield f"{way} goes by pageable memory"
    if operation in INDEXED:
        places = [place for place in args[1] if place is not None]
        if not any(_is_there(leaf) for leaf in tree_leaves((args, named))):
            return
        if any(place.dtype in (torch.bool, torch.uint8) for place in places):
            yield f"{operation} by a mask counts what is true"
        if any(place.device.type == "cpu" and place.dim() for place in places):
            yield f"{operation} takes places from pageable memory"
    elif _asks_for_values(operation) and any(_is_there(leaf) for leaf in tree_leaves((args, named))):
        yield f"{operation} needs a value that is on the GPU"


@cache
def _is_of_others(operation: Any) -> bool:
    """Whether an operation is made of others on every device."""
    return operation.namespace == "aten" and bool(operation._can_decompose())


@cache
def _asks_for_values(operation: Any) -> bool:
    return bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(operation.tags))


def _read(operation: Any, args: tuple[Any, ...], named: dict[str, Any]) -> list[Tensor]:
    """The processor's tensors that an operation looks into."""
    seen = args[1:] if operation in (ONE_COPY, MANY_COPIES) else args
    leaves = tree_leaves((seen, named))
    return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.device.type == "cpu"]


def _need_one_order(*lists: Sequence[Tensor]) -> None:
    """torch's fused optimisers go through weights, gradients and moments as they lie: on a GPU they refuse
    other orders, on a processor they mistake one weight for another.
    """
    for each in zip(*lists, strict=True):
        if len({tensor.stride() for tensor in each}) > 1:
            raise AssertionError(f"weights, gradients, moments lie {[order_of(tensor) for tensor in each]}")


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
    elif operation in (ONE_COPY, MANY_COPIES):
        one = operation is ONE_COPY
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
    frame = _ours()
    if frame is None or frame.f_code is run_backward.__code__:
        return "elsewhere" if frame is None else BACK
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _function() -> str:
    """The function of ours that asks, what is within it left out."""
    frame = _ours()
    return "elsewhere" if frame is None else frame.f_code.co_qualname.partition(".<locals>")[0]


def _ours() -> FrameType | None:
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        name = frame.f_code.co_filename
        if frame.f_code is run_backward.__code__ or (OURS in name and name != convolution_gradients.__file__):
            return frame
    return None
