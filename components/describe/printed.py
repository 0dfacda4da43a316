"""A net's layer table as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from components.describe.layer_names import shape_words
from components.describe.nets import Described
from components.describe.table import Row


def lines(found: Described) -> Iterator[str]:
    """The summary, the table, the sums."""
    yield f"{found.title}: {', '.join(found.facts)}"
    rows = [_cells(row) for row in found.table.rows]
    sums = ("", "", "sum", "", _count(found.table.parameters + found.table.frozen), _count(found.table.macs))
    heads = ("no", "name", "layer", "output", "parameters", "MACs")
    widths = [max(len(cells[column]) for cells in (*rows, sums, heads)) for column in range(len(heads))]
    rule = "  " + "  ".join("─" * width for width in widths)
    yield _line(heads, widths)
    yield rule
    for cells in rows:
        yield _line(cells, widths)
    yield rule
    yield _line(sums, widths)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.number),
        row.name or "(net)",
        row.kind,
        shape_words(row.shape),
        _count(row.parameters + row.frozen),
        _count(row.macs),
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    aligned = [
        cell.rjust(width) if column in (0, 4, 5) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return ("  " + "  ".join(aligned)).rstrip()


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"
