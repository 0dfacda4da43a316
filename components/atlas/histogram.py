"""A histogram as geometry: bars at round steps, stacked by class where there are classes, and lines
at values that matter. A template makes it SVG.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluate.charts import Axis, Tick

LEFT, RIGHT, TOP, BOTTOM = 40.0, 10.0, 22.0, 36.0  # px around the plot
BINS = 32  # at most
PLAIN = "plain"  # class of a bar without classes


@dataclass(frozen=True)
class Bar:
    """Values of one class in one step."""

    x: float
    y: float
    width: float
    height: float
    style: str
    count: int
    words: str


@dataclass(frozen=True)
class Rule:
    """An upright line at a value."""

    x: float
    label: str
    style: str  # "bound" or "pick"


@dataclass(frozen=True)
class Histogram:
    """A drawing, px."""

    title: str
    x_title: str
    width: float
    height: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]  # shares of all values
    bars: tuple[Bar, ...]
    rules: tuple[Rule, ...]

    @property
    def left(self) -> float:
        return LEFT

    @property
    def right(self) -> float:
        return self.width - RIGHT

    @property
    def foot(self) -> float:
        return self.height - BOTTOM


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
    size: tuple[float, float] = (560.0, 240.0),
) -> Histogram:
    """Count values in steps of a round size.

    values: at least one. classes: one a value, each in `order`, which is the order in which they
    are stacked.
    rules: (value, label, style); the axis reaches to every one of style "bound".
    whole: the values are whole numbers, and steps have them in their middle.
    from_zero: the axis begins at 0.
    size: width and height of the whole drawing, px.
    """
    assert len(values) > 0, "a histogram needs a value"
    assert not classes or len(classes) == len(values), f"{len(classes)} classes for {len(values)} values"
    bounds = [value for value, _, style in rules if style == "bound"]
    step, first, last = _steps([*values, *bounds, *([0.0] if from_zero else [])], whole=whole)
    shift = 0.5 if whole else 0.0
    x = Axis(first * step - shift, (last + 1) * step - shift, LEFT, size[0] - RIGHT)
    counts = Counter(
        (_bin(value, step, shift), style)
        for value, style in zip(values, classes or (PLAIN,) * len(values), strict=True)
    )
    highest = max(sum(counts[place, style] for style in order) for place in range(first, last + 1))
    y = Axis(0.0, 100 * highest / len(values) * 1.04, size[1] - BOTTOM, TOP)
    bars = [
        bar
        for place in range(first, last + 1)
        for bar in _stacked(place, counts, order, len(values), (x, y), (step, shift))
    ]
    return Histogram(
        title,
        x_title,
        *size,
        tuple(tick for tick in x.ticks() if not whole or "." not in tick.label),
        tuple(Tick(tick.at, f"{tick.label} %") for tick in y.ticks()),
        tuple(bars),
        tuple(Rule(x.at(value), label, style) for value, label, style in rules),
    )


def _stacked(
    place: int,
    counts: Counter[tuple[int, str]],
    order: Sequence[str],
    total: int,
    axes: tuple[Axis, Axis],
    bins: tuple[float, float],
) -> list[Bar]:
    """The bars of one step, one on the other."""
    (x, y), (step, shift) = axes, bins
    left, right = (x.at(edge * step - shift) for edge in (place, place + 1))
    room = _range_words(place, step, whole=bool(shift))
    below, made = 0, []
    for style in order:
        count = counts[place, style]
        if not count:
            continue
        foot, top = y.at(100 * below / total), y.at(100 * (below + count) / total)
        said = f"{room}: {count} of {total}" + ("" if style == PLAIN else f", {style}")
        made.append(
            Bar(left, top, round(max(right - left - 1, 0.5), 2), round(foot - top, 2), style, count, said)
        )
        below += count
    return made


def _steps(values: Sequence[float], *, whole: bool) -> tuple[float, int, int]:
    """Size of a step, and the numbers of the first and last one that are needed."""
    low, high = min(values), max(values)
    step = max(_round_up(max(high - low, 1e-3 * max(abs(high), 1e-3)) / BINS), 1.0 if whole else 0.0)
    shift = 0.5 if whole else 0.0
    return step, _bin(low, step, shift), _bin(high, step, shift)


def _bin(value: float, step: float, shift: float) -> int:
    # 0.3 / 0.1 is a little less than 3.
    return math.floor((value + shift) / step + 1e-9)


def _round_up(wanted: float) -> float:
    """The next of 1, 2, 5 and 10 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= wanted * (1 - 1e-9))


def _range_words(place: int, step: float, *, whole: bool) -> str:
    """What falls into a step.

    >>> _range_words(3, 0.5, whole=False), _range_words(3, 1.0, whole=True), _range_words(3, 2.0, whole=True)
    ('1.5 to 2', '3', '6 to 7')
    """
    low, high = place * step, (place + 1) * step
    if not whole:
        return f"{low:.6g} to {high:.6g}"
    return f"{low:.0f}" if step == 1 else f"{low:.0f} to {high - 1:.0f}"
