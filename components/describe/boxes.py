"""A trace as a few boxes to draw: a convolution with what follows it, a residual block, a place
where paths meet. Equal neighbours become one, counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from components.describe.layer_names import JOINS, function_words, layer_words, spaced, work_words
from components.describe.trace import Call, Enter, Key, Leave, Operation, Shape, Trace

WORKS = ("convolution", "addmm", "mm", "bmm")
# These belong to the convolution behind them: what it takes is made ready.
READIES = ("pad", "upsample", "pool", "pixel_unshuffle")


@dataclass(eq=False)
class Box:
    """One thing to draw. Shapes are without the batch."""

    role: str  # input, work, block, join
    sources: list[Box]
    shape_in: Shape
    shape: Shape
    words: list[str] = field(default_factory=list)  # what it does, in order
    names: list[str] = field(default_factory=list)  # dotted names of its layers
    count: int = 1  # equal boxes in a row that it stands for
    macs: int = 0  # of all of them
    parameters: int = 0  # of all of them
    effect: str = "keep"  # keep, down, up, dense: what it does to the side
    worked: bool = False  # holds a convolution or a dense layer
    tail: Key = 0  # the last tensor made in it

    def like(self, other: Box) -> bool:
        """Whether both look the same in a drawing."""
        return (self.role, self.shape_in, self.shape, self.words) == (
            other.role,
            other.shape_in,
            other.shape,
            other.words,
        )


def boxes(seen: Trace) -> list[Box]:
    """The boxes of a traced net in the order of the computation; the first is the input, the last
    gives the output.
    """
    return _grouped(_Builder(seen).build())


@dataclass
class _Builder:
    seen: Trace
    made: list[Box] = field(default_factory=list)
    of: dict[Key, Box] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    block: tuple[Call, Box] | None = None  # the closed module we are in

    def build(self) -> list[Box]:
        """Go through the trace once."""
        self.closed = _closed(self.seen)
        self._open(Box("input", [], self.seen.shape, self.seen.shape), self.seen.source)
        for event in self.seen.events:
            if isinstance(event, Operation):
                if self.block is None:
                    self._operation(event)
                else:
                    self.of[event.gives] = self.block[1]
                    self.block[1].macs += event.macs
            elif isinstance(event, Enter):
                self._enter(event.call)
            elif isinstance(event, Leave):
                self._leave(event.call)
        return self.made

    def _open(self, box: Box, tail: Key) -> Box:
        box.tail = tail
        self.of[tail] = box
        self.made.append(box)
        return box

    def _sources(self, keys: Iterable[Key]) -> list[Box]:
        return list(dict.fromkeys(self.of[key] for key in keys if key in self.of))

    def _enter(self, call: Call) -> None:
        if self.block is None and call.name in self.closed:
            words = [spaced(call.kind), *_inner(self.seen, call)]
            box = self._open(
                Box("block", self._sources(call.takes), call.shape_in, call.shape, words, [call.name]), 0
            )
            self.block = (call, box)

    def _leave(self, call: Call) -> None:
        if self.block is not None:
            self.block[1].parameters += _weights(call)
            if self.block[0] is call:
                self.of[call.gives], self.block[1].tail = self.block[1], call.gives
                self.block = None
            return
        box = self.of.get(call.gives)
        if box is None or not (call.leaf or _weights(call)):
            return
        box.parameters += _weights(call)
        box.names.append(call.name)
        word = layer_words(call.module)
        if call.leaf and word and box.tail == call.gives:
            box.words.append(word)

    def _operation(self, done: Operation) -> None:
        sources = self._sources(done.takes)
        first = sources[0]
        waiting = (
            first
            if len(sources) == 1 and first.role == "work" and not first.worked and first.tail in done.takes
            else None
        )
        if done.word in WORKS or any(word in done.word for word in READIES):
            box = waiting or self._open(Box("work", sources, first.shape, first.shape), done.gives)
            self._work(box, done)
        elif len(sources) > 1:
            self._open(
                Box("join", sources, first.shape, done.shape, [JOINS.get(done.word, done.word)]), done.gives
            )
        else:
            self._follow(first, done)

    def _work(self, box: Box, done: Operation) -> None:
        if done.word in WORKS:
            box.worked = True
            box.words.extend(work_words(done))
        elif word := function_words(done, box.shape):
            box.words.append(word)
        if done.convolution is None and done.word in WORKS:
            box.effect = "dense"
        self._advance(box, done)

    def _follow(self, box: Box, done: Operation) -> None:
        at_tail = box.tail in done.takes
        self.of[done.gives] = box
        if not at_tail:
            return
        word = "" if done.call.leaf or box.role == "input" else function_words(done, box.shape)
        if word:
            box.words.append(word)
        if box.role == "input" or len(done.shape) != len(box.shape):
            box.tail = done.gives
        else:
            self._advance(box, done)

    def _advance(self, box: Box, done: Operation) -> None:
        self.of[done.gives] = box
        box.tail, box.shape = done.gives, done.shape
        box.macs += done.macs
        if box.effect != "dense" and len(box.shape_in) == len(box.shape) == 3:
            before, after = side(box.shape_in), side(box.shape)
            box.effect = "down" if after * 3 < before * 2 else "up" if after * 2 > before * 3 else "keep"


def side(shape: Shape) -> int:
    """Px of the longer side of a feature map; 1 for a vector."""
    return max(shape[1:]) if len(shape) == 3 else 1


def _closed(seen: Trace) -> set[str]:
    """Modules to draw as one box: they add to what they take, keep its shape and size, and hold no
    other such module.
    """
    found = []
    for event in seen.events:
        if (
            isinstance(event, Leave)
            and not event.call.leaf
            and event.call.name
            and event.call.shape == event.call.shape_in
            and _adds(seen, event.call)
        ):
            inner = [
                each.call
                for each in seen.events
                if isinstance(each, Leave) and event.call in each.call.inside and _weights(each.call)
            ]
            if all(side(call.shape) == side(event.call.shape) for call in inner if len(call.shape) == 3):
                found.append(event.call)
    return {call.name for call in found if not any(call in other.inside for other in found)}


def _adds(seen: Trace, call: Call) -> bool:
    return any(done.call is call and done.word == "add" and len(done.takes) > 1 for done in seen.operations)


def _weights(call: Call) -> int:
    return sum(each.numel() for each in call.module.parameters(recurse=call.leaf))


def _inner(seen: Trace, block: Call) -> list[str]:
    """What a closed block does, in few words: its convolutions counted, then the layers between
    them.
    """
    work: list[str] = []
    between: list[str] = []
    for event in seen.events:
        if isinstance(event, Operation) and block in event.call.inside and event.word in WORKS:
            work.append(" ".join(work_words(event)))
        elif isinstance(event, Operation) and event.call is block and event.word in ("bmm", *WORKS):
            between.append("dot product")
        elif isinstance(event, Leave) and event.call.leaf and block in event.call.inside:
            between.append(layer_words(event.call.module))
    counted = [
        f"{work.count(word)} × {word}" if work.count(word) > 1 else word for word in dict.fromkeys(work)
    ]
    return [*counted, *(word for word in dict.fromkeys(between) if word)]


def _grouped(found: list[Box]) -> list[Box]:
    """Equal boxes that follow each other, with nothing branching off between them, become one."""
    taken: dict[Box, list[Box]] = {}
    for box in found:
        for source in box.sources:
            taken.setdefault(source, []).append(box)
    kept: list[Box] = []
    stands: dict[Box, Box] = {}  # a box that is gone -> the one that stands for it
    for previous, box in zip([None, *found], found, strict=False):
        box.sources = [stands.get(source, source) for source in box.sources]
        chained = previous is not None and box.sources == [kept[-1]] and taken.get(previous) == [box]
        if chained and box.role in ("work", "block") and box.like(kept[-1]):
            last = kept[-1]
            last.count += 1
            last.macs, last.parameters, last.names = (
                last.macs + box.macs,
                last.parameters + box.parameters,
                last.names + box.names,
            )
            stands[box] = last
        else:
            kept.append(box)
    return kept
