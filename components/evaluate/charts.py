"""The report's two drawings as geometry: gains in order, and gain against how hard a photo is. The
template turns them into SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from components.core.records import PhotoScore
from components.evaluate.summary import SEVERITIES, gain_of, ranked
from components.metrics import METRICS, PRIMARY

WIDTH, HEIGHT = 520.0, 240.0  # px of the whole drawing
LEFT, RIGHT, TOP, BOTTOM = 54.0, 12.0, 12.0, 34.0  # px around the plot


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float  # px
    label: str


@dataclass(frozen=True)
class Axis:
    """Values laid out evenly between two places of the drawing."""

    low: float  # value at `start`
    high: float  # value at `end`
    start: float  # px
    end: float  # px

    def at(self, value: float) -> float:
        """Where a value lies, px."""
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """About five labels at round values.

        >>> [tick.label for tick in Axis(0.0, 2.3, 0.0, 100.0).ticks()]
        ['0', '0.5', '1', '1.5', '2']
        """
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(Tick(self.at(place * step), f"{place * step:.6g}") for place in range(first, last + 1))


@dataclass(frozen=True)
class Mark:
    """One photo in a chart: a bar (x, y its upper left corner) or a dot (x, y its middle), px."""

    x: float
    y: float
    width: float
    height: float
    style: str  # class in the style sheet
    words: str  # shown when pointed at


@dataclass(frozen=True)
class Chart:
    """A drawing: axes, the line of no gain, one mark a photo."""

    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float  # px from the top
    marks: tuple[Mark, ...]
    classes: tuple[str, ...] = ()  # what the dots' colours mean


def gains_in_order(scores: Sequence[PhotoScore]) -> Chart:
    """One bar a photo, from the most gained to the least: what share of photos gets better, and by
    how much.
    """
    order = ranked(scores)
    y = _gain_axis(scores)
    step = (WIDTH - LEFT - RIGHT) / len(order)
    marks = []
    for place, score in enumerate(order):
        top, foot = sorted((y.at(gain_of(score)), y.at(0.0)))
        style = "better" if gain_of(score) > 0 else "worse"
        marks.append(
            Mark(
                round(LEFT + place * step, 2),
                top,
                round(max(step * 0.85, 0.5), 2),
                max(foot - top, 0.5),
                style,
                _words(score),
            )
        )
    ends = (
        Tick(round(LEFT + step / 2, 2), "1"),
        Tick(round(LEFT + (len(order) - 0.5) * step, 2), str(len(order))),
    )
    return Chart(
        "Every test pair, most gained first",
        "pair",
        _gain_title(),
        ends[: len(order)],
        y.ticks(),
        y.at(0.0),
        tuple(marks),
    )


def gain_by_severity(scores: Sequence[PhotoScore]) -> Chart:
    """One dot a photo: does the restorer help where the blur is strong, or only where it is mild?"""
    y = _gain_axis(scores)
    x = Axis(0.0, max(0.1, *(score.severity for score in scores)) * 1.05, LEFT, WIDTH - RIGHT)
    marks = tuple(
        Mark(x.at(score.severity), y.at(gain_of(score)), 0.0, 0.0, score.severity_class, _words(score))
        for score in ranked(scores)
    )
    title = "Gain against the extent of the blur"
    return Chart(
        title, "RMS radius of the blur, px", _gain_title(), x.ticks(), y.ticks(), y.at(0.0), marks, SEVERITIES
    )


def gain_by_start(scores: Sequence[PhotoScore], baseline: str) -> Chart:
    """One dot a photo, for tasks without a blur: does the net help where the baseline is far off,
    or only where it is near?
    """
    y, starts = _gain_axis(scores), [score.do_nothing[PRIMARY] for score in scores]
    room = max(max(starts) - min(starts), 0.1) * 0.05
    x = Axis(min(starts) - room, max(starts) + room, LEFT, WIDTH - RIGHT)
    marks = tuple(
        Mark(
            x.at(score.do_nothing[PRIMARY]),
            y.at(gain_of(score)),
            0.0,
            0.0,
            score.severity_class,
            _words(score),
        )
        for score in ranked(scores)
    )
    axis = f"{METRICS[PRIMARY].title} of {baseline}, {METRICS[PRIMARY].unit}"
    return Chart(
        f"Gain against what {baseline} scores", axis, _gain_title(), x.ticks(), y.ticks(), y.at(0.0), marks
    )


def _gain_axis(scores: Sequence[PhotoScore]) -> Axis:
    """Upwards, holding zero and every gain with a little room."""
    gains = [gain_of(score) for score in scores]
    room = max(max(*gains, 0.0) - min(*gains, 0.0), 0.1) * 0.05
    return Axis(min(*gains, 0.0) - room, max(*gains, 0.0) + room, HEIGHT - BOTTOM, TOP)


def _round_step(wanted: float) -> float:
    """The step of 1, 2 or 5 times a power of ten that comes next above the wanted one."""
    power: float = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= wanted * (1 - 1e-9))


def _gain_title() -> str:
    return f"{METRICS[PRIMARY].title} gained, {METRICS[PRIMARY].unit}"


def _words(score: PhotoScore) -> str:
    blur = f", {score.severity_class}, {score.severity:.1f} px" if score.severity else ""
    return f"{score.pair[:16]}: {METRICS[PRIMARY].text(gain_of(score), signed=True)}, {score.blur_kind}{blur}"
