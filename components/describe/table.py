"""A net as a table: one row a layer, as Keras' summary() has it, with additions and concatenations
where they happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch.nn.utils.parametrize import is_parametrized

from components.describe.layer_names import JOINS, function_words
from components.describe.trace import Call, Enter, Leave, Operation, Shape, Trace


@dataclass
class Row:
    """One layer, or one place where two paths meet."""

    number: int  # from 1, in the order of the computation
    name: str  # dotted, as in state_dict
    kind: str  # the layer's class, or what joins: "addition of 3 and 9", or a function: "tanh"
    shape: Shape  # of its output, without the batch
    parameters: int = 0  # trainable
    frozen: int = 0  # parameters that are not trained
    statistics: int = 0  # values that are kept but not trained: running means, spectral norm's vectors
    macs: int = 0  # multiply-accumulates for one picture


@dataclass
class Table:
    """The rows and their sums; each sum is the net's own, by test."""

    rows: list[Row]

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def frozen(self) -> int:
        """Parameters that are not trained."""
        return sum(row.frozen for row in self.rows)

    @property
    def statistics(self) -> int:
        """Values that are kept but not trained."""
        return sum(row.statistics for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, dense layers and attention for one picture."""
        return sum(row.macs for row in self.rows)


def table(seen: Trace) -> Table:
    """The table of a traced net.

    A layer is a module without modules inside; a module that holds both gets a row for its own
    weights and work (attention). A layer that is called twice has its parameters in the first row.
    """
    return _Writer(seen).write()


@dataclass
class _Writer:
    seen: Trace
    rows: list[Row] = field(default_factory=list)
    of_call: dict[int, Row] = field(default_factory=dict)
    at: dict[int, int] = field(
        default_factory=dict
    )  # tensor -> number of the row it comes from; 0 is the input
    counted: set[int] = field(default_factory=set)

    def write(self) -> Table:
        """Go through the trace once."""
        self.at[self.seen.source] = 0
        for event in self.seen.events:
            if isinstance(event, Operation):
                self._operation(event)
            elif isinstance(event, Leave):
                self._leave(event.call)
            elif isinstance(event, Enter) and event.call.leaf:
                self._row_of(event.call)
        return Table(self.rows)

    def _row_of(self, call: Call) -> Row:
        if id(call) not in self.of_call:
            self.of_call[id(call)] = self._add(Row(0, call.name, call.kind, call.shape))
            self._count(call)
        return self.of_call[id(call)]

    def _add(self, row: Row) -> Row:
        row.number = len(self.rows) + 1
        self.rows.append(row)
        return row

    def _count(self, call: Call) -> None:
        whole = call.leaf or is_parametrized(call.module)
        row = self.of_call[id(call)]
        for parameter in call.module.parameters(recurse=whole):
            if id(parameter) not in self.counted:
                self.counted.add(id(parameter))
                row.parameters += parameter.numel() if parameter.requires_grad else 0
                row.frozen += 0 if parameter.requires_grad else parameter.numel()
        for buffer in call.module.buffers(recurse=whole):
            if id(buffer) not in self.counted and buffer.is_floating_point():
                self.counted.add(id(buffer))
                row.statistics += buffer.numel()

    def _operation(self, operation: Operation) -> None:
        call = operation.call
        sources = list(dict.fromkeys(self.at[key] for key in operation.takes if key in self.at))
        if call.leaf or operation.macs:
            row = self._row_of(call)
            row.macs += operation.macs
            self.at[operation.gives] = row.number
        elif operation.word in JOINS and len(sources) > 1:
            words = " and ".join(str(source) if source else "the input" for source in sources)
            self.at[operation.gives] = self._add(
                Row(0, call.name, f"{JOINS[operation.word]} of {words}", operation.shape)
            ).number
        elif word := function_words(operation):
            self.at[operation.gives] = self._add(Row(0, call.name, word, operation.shape)).number
        elif sources:
            self.at[operation.gives] = max(sources)

    def _leave(self, call: Call) -> None:
        own = [
            *call.module.parameters(recurse=False),
            *(each for each in call.module.buffers(recurse=False) if each.is_floating_point()),
        ]
        if call.leaf or own:
            self._row_of(call).shape = call.shape
        elif id(call) in self.of_call:
            self.of_call[id(call)].shape = call.shape
