"""A histogram of drawn values: shares of all values in steps of a round size, stacked by class where
there are classes, and lines at values that matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.evaluate.charts import Chart
from components.evaluate.plots import Plot, colour, plotted, round_edges, round_ticks

Edges = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]
BINS = 32  # at most
PLAIN = "plain"  # colour of a bar without classes
SIZE_PX = (560.0, 240.0)


def histogram(
    values: Sequence[float],
    *,
    title: str,
    x_title: str,
    classes: Sequence[str] = (),
    order: Sequence[str] = (PLAIN,),
    rules: Sequence[tuple[float, str, str]] = (),
    whole: bool = False,
    from_zero: bool = False,
    size_px: tuple[float, float] = SIZE_PX,
) -> Chart:
    """Count values in steps of a round size.

    values: at least one. classes: one a value, each in `order`, which is the order in which they
    are stacked; each is the name of a page's colour.
    rules: (value, label, style): "bound" dashed, and the axis reaches to it; "pick" drawn through.
    whole: the values are whole numbers, and steps have them in their middle.
    from_zero: the axis begins at 0.
    size_px: width and height of the whole drawing.
    """
    assert len(values) > 0, "a histogram needs a value"
    assert not classes or len(classes) == len(values), f"{len(classes)} classes for {len(values)} values"
    reached = [
        *values,
        *(value for value, _, style in rules if style == "bound"),
        *([0.0] if from_zero else []),
    ]
    edges = round_edges(min(reached), max(reached), most=BINS, whole=whole)
    found, named = np.asarray(values, float), np.asarray(classes or [PLAIN] * len(values))
    counts = {name: np.histogram(found[named == name], edges)[0] for name in order}

    def draw(plot: Plot) -> None:
        below = np.zeros(len(edges) - 1)
        for name, count in counts.items():
            _bars(plot, edges, count, below, len(values), name, whole)
            below += 100 * count / len(values)
        for value, label, style in rules:
            _rule(plot, value, label, style)
        plot.axes.set_xlim(edges[0], edges[-1])
        plot.axes.xaxis.set_major_locator(round_ticks(6, whole=whole))
        plot.axes.yaxis.set_major_locator(round_ticks(5))
        plot.axes.yaxis.set_major_formatter("{x:g} %")
        plot.axes.set_xlabel(x_title)

    return Chart(title, plotted(draw, title=f"{title}: {x_title}", size_px=size_px))


def _bars(plot: Plot, edges: Edges, count: Counts, below: Edges, total: int, name: str, whole: bool) -> None:
    """One class: a bar for every step that has any of it, above the classes drawn before."""
    (steps,) = count.nonzero()
    bars = plot.axes.bar(
        edges[steps],
        100 * count[steps] / total,
        np.diff(edges)[steps] * 0.93,
        bottom=below[steps],
        align="edge",
        color=colour(name),
    )
    for step, bar in zip(steps, bars, strict=True):
        plot.say(bar, [_words((edges[step], edges[step + 1]), count[step], total, name, whole)])


def _rule(plot: Plot, value: float, label: str, style: str) -> None:
    """An upright line, its label above the plot."""
    dashes = (0, (4, 3)) if style == "bound" else "solid"
    plot.axes.axvline(value, color=colour("ink"), linewidth=1.2, linestyle=dashes)
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    plot.axes.annotate(label, (value, 1), (0, 2), ha="center", va="bottom", **where)


def _words(edges: tuple[float, float], count: int, total: int, name: str, whole: bool) -> str:
    """What falls into a step.

    >>> _words((1.5, 2.0), 3, 9, "mild", False), _words((2.5, 3.5), 1, 9, PLAIN, True)
    ('1.5 to 2: 3 of 9, mild', '3: 1 of 9')
    """
    low, high = edges
    room = f"{low:.6g} to {high:.6g}"
    if whole:
        room = f"{low + 0.5:.0f}" if high - low == 1 else f"{low + 0.5:.0f} to {high - 0.5:.0f}"
    return f"{room}: {count} of {total}" + ("" if name == PLAIN else f", {name}")
