"""The report's two charts: gains in order, and gain against how hard a photo is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.core.records import PhotoScore
from components.evaluate.plots import Plot, colour, plotted
from components.evaluate.summary import SEVERITIES, gain_of, ranked
from components.metrics import METRICS, primary_of

SIZE_PX = (520.0, 240.0)
DOT_PX2 = 48.0  # area, so 7 px across


@dataclass(frozen=True)
class Chart:
    """A drawing for a page."""

    title: str
    svg: str  # an element
    classes: tuple[str, ...] = ()  # what the marks' colours mean


def gains_in_order(scores: Sequence[PhotoScore]) -> Chart:
    """One bar a photo, from the most gained to the least: what share of photos gets better, and by
    how much.
    """
    order = ranked(scores)
    gains = [gain_of(score) for score in order]

    def draw(plot: Plot) -> None:
        places = range(1, len(order) + 1)
        colours = [colour("good" if gain > 0 else "bad") for gain in gains]
        bars = plot.axes.bar(places, gains, width=0.85, color=colours)
        for bar, score in zip(bars, order, strict=True):
            plot.say(bar, [_words(score)])
        plot.axes.set_xticks(sorted({1, len(order)}))
        plot.axes.set_xlim(0.5, len(order) + 0.5)
        _gain_axis(plot, "pair", order[0])

    title = "Every test pair, most gained first"
    return Chart(title, plotted(draw, title=title, size_px=SIZE_PX))


def gain_by_severity(scores: Sequence[PhotoScore]) -> Chart:
    """One dot a photo: does the restorer help where the blur is strong, or only where it is mild?"""
    title, x_title = "Gain against the extent of the blur", "RMS radius of the blur, px"
    return _dots(scores, [score.severity for score in ranked(scores)], title, x_title, SEVERITIES)


def gain_by_start(scores: Sequence[PhotoScore], baseline: str) -> Chart:
    """One dot a photo, for tasks without a blur: does the net help where the baseline is far off,
    or only where it is near?
    """
    primary = METRICS[primary_of(scores[0].restored)]
    x_title = _axis(f"{primary.title} of {baseline}", primary.unit)
    starts = [score.do_nothing[primary.name] for score in ranked(scores)]
    return _dots(scores, starts, f"Gain against what {baseline} scores", x_title, ())


def _dots(
    scores: Sequence[PhotoScore], x: Sequence[float], title: str, x_title: str, classes: tuple[str, ...]
) -> Chart:
    order = ranked(scores)

    def draw(plot: Plot) -> None:
        colours = [colour(score.severity_class if classes else "medium") for score in order]
        gains = [gain_of(score) for score in order]
        dots = plot.axes.scatter(x, gains, s=DOT_PX2, c=colours, alpha=0.75, linewidths=0, clip_on=False)
        plot.say(dots, [_words(score) for score in order])
        if classes:
            plot.axes.set_xlim(left=0.0)
        _gain_axis(plot, x_title, order[0])

    return Chart(title, plotted(draw, title=title, size_px=SIZE_PX), classes)


def _gain_axis(plot: Plot, x_title: str, score: PhotoScore) -> None:
    """Upwards, with the line of no gain in it."""
    plot.axes.axhline(0.0, color=colour("ink"), linewidth=1.0)
    plot.axes.spines["bottom"].set_visible(False)
    plot.axes.set_xlabel(x_title)
    primary = METRICS[primary_of(score.restored)]
    plot.axes.set_ylabel(_axis(f"{primary.title} gained", primary.unit))


def _axis(words: str, unit: str) -> str:
    return f"{words}, {unit}" if unit else words


def _words(score: PhotoScore) -> str:
    blur = f", {score.severity_class}, {score.severity:.1f} px" if score.severity else ""
    gain = METRICS[primary_of(score.restored)].text(gain_of(score), signed=True)
    return f"{score.pair[:16]}: {gain}, {score.blur_kind}{blur}"
