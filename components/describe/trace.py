"""Watch a net compute one picture without computing it: on the meta device every tensor has a shape
and no content.

What is seen are module calls (layers) and tensor operations (additions, concatenations, attention,
convolutions written as functions), and which operation takes which tensor. Nothing is asked about
what net it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.hooks import RemovableHandle

Shape = tuple[int, ...]
Key = int  # identity of a tensor


@dataclass(eq=False)
class Call:
    """One pass through one module. Shapes are without the batch."""

    name: str  # dotted, as in state_dict; empty for the whole net
    module: nn.Module
    leaf: bool  # has no visible modules inside
    inside: tuple[Call, ...]  # the calls around it, outermost first
    takes: tuple[Key, ...] = ()
    gives: Key = 0
    shape_in: Shape = ()
    shape: Shape = ()

    @property
    def kind(self) -> str:
        """The module's class."""
        plain: str = type_before_parametrizations(self.module).__name__
        return plain


@dataclass(eq=False)
class Operation:
    """One tensor operation on what flows through the net; those on weights alone are left out."""

    word: str  # ATen's name: convolution, add, cat …
    call: Call  # the innermost module it happens in
    takes: tuple[Key, ...]
    gives: Key
    shape: Shape  # of the result, without the batch
    macs: int
    convolution: Convolution | None = None
    slope: float = 0.0  # of a leaky rectifier


@dataclass(frozen=True)
class Convolution:
    """What a convolution does to its input."""

    size: Shape
    stride: int
    transposed: bool
    per_channel: bool


@dataclass(eq=False)
class Enter:
    """A module call begins."""

    call: Call


@dataclass(eq=False)
class Leave:
    """A module call has ended."""

    call: Call


Event = Operation | Enter | Leave


@dataclass
class Trace:
    """Everything that happened, in order."""

    net: nn.Module
    shape: Shape  # of the input, without the batch
    source: Key  # the input
    result: Key  # the output
    events: list[Event]

    @property
    def calls(self) -> list[Call]:
        """The module calls in the order they began; the first is that of the whole net."""
        return [event.call for event in self.events if isinstance(event, Enter)]

    @property
    def operations(self) -> Iterator[Operation]:
        """The operations alone."""
        return (event for event in self.events if isinstance(event, Operation))


def trace(net: nn.Module, shape: Shape) -> Trace:
    """Follow one picture of `shape` (C, H, W) through a net that lies on the meta device, in eval
    mode.

    Raises what the net raises when it cannot take that size.
    """
    net.eval()
    shown = torch.empty(1, *shape, device="meta")
    watch = _Watch(shown)
    hooks = list(_hang(net, "", watch))
    try:
        with torch.no_grad(), watch:
            result = net(shown)
    finally:
        for hook in hooks:
            hook.remove()
    return Trace(net, shape, id(shown), id(result), watch.events)


@dataclass
class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Notes every operation that has to do with the input, and where it happens."""

    source: Tensor
    events: list[Event] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Tensors are kept, so that no identity is used twice; on the meta device they hold nothing.
        self.flowing: dict[Key, Tensor] = {id(self.source): self.source}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        takes = tuple(id(tensor) for tensor in _tensors(args) if id(tensor) in self.flowing)
        input = next(_tensors((out,)), None)
        if takes and input is not None and self.calls:
            self.flowing[id(input)] = input
            count = flop_registry.get(func._overloadpacket)
            macs = count(*args, **(kwargs or {}), out_val=out) // 2 if count else 0
            word = func._schema.name.split("::")[-1].strip("_")
            found = _convolution(args) if word == "convolution" else None
            slope = float(args[1]) if word == "leaky_relu" and len(args) > 1 else 0.0
            self.events.append(
                Operation(word, self.calls[-1], takes, id(input), tuple(input.shape[1:]), macs, found, slope)
            )
        return out


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _convolution(args: tuple[Any, ...]) -> Convolution:
    _, weight, _, stride, _, _, transposed, _, groups = args
    return Convolution(
        tuple(weight.shape[2:]), max(stride), transposed, groups > 1 and groups == weight.shape[0]
    )


def _hang(module: nn.Module, name: str, watch: _Watch) -> Iterator[RemovableHandle]:
    """Put a hook before and behind every module; what makes a weight (spectral normalisation) stays
    inside its layer.
    """
    children = (
        []
        if is_parametrized(module)
        else [(child, inner) for child, inner in module.named_children() if inner is not None]
    )

    def before(module: nn.Module, input: tuple[Any, ...]) -> None:
        first = next(_tensors(input))
        call = Call(
            name,
            module,
            not children,
            tuple(watch.calls),
            tuple(id(tensor) for tensor in _tensors(input)),
            shape_in=tuple(first.shape[1:]),
        )
        watch.calls.append(call)
        watch.events.append(Enter(call))

    def behind(module: nn.Module, input: Any, out: Tensor) -> None:
        call = watch.calls.pop()
        call.gives, call.shape = id(out), tuple(out.shape[1:])
        watch.events.append(Leave(call))

    yield module.register_forward_pre_hook(before)
    yield module.register_forward_hook(behind)
    for child, inner in children:
        yield from _hang(inner, f"{name}.{child}" if name else child, watch)
