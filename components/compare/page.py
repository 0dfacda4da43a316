"""A comparison as lines for a terminal, and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.compare.side_by_side import Comparison, Line
from components.core.baseline import words_for
from components.core.pages import templates
from components.evaluate.charts import Chart
from components.evaluate.plots import Plot, colour, plotted
from components.evaluate.report import data_uri
from components.evaluate.tables import aligned
from components.metrics import METRICS
from components.metrics.differences import Difference, counted

Bytes8 = npt.NDArray[np.uint8]
MOST_SETTINGS = 40  # on the terminal; the page has all
WIDEST = 32  # characters of a setting's value there
ROW_PX, CHART_PX = 44.0, 560.0


def lines(comparison: Comparison) -> list[str]:
    """The comparison for a terminal: figures, then the settings that differ, then what to know."""
    names = [each.name for each in comparison.contenders]
    nothing = _nothing(comparison)
    rows: list[tuple[str, ...]] = [("", "", nothing, *names)]
    for line in comparison.lines:
        metric = METRICS[line.metric]
        values = (metric.text(value) for value in line.values)
        rows.append((metric.title, "mean", metric.text(line.nothing), *values))
        rows.append(("", f"over {nothing}", "", *(interval(line, found) for found in line.gains)))
        beside = ("" if found is None else interval(line, found) for found in line.beside)
        rows.append(("", f"over {names[0]}", "", *beside))
    told = aligned(rows)
    told.insert(1, "-" * len(told[0]))
    told += ["", *remarks(comparison)]
    settings = [(name, *(_short(value) for value in values)) for name, values in comparison.settings]
    if settings:
        shown = aligned([("", *names), *settings[:MOST_SETTINGS]])
        more = len(settings) - MOST_SETTINGS
        told += ["", "what differs", *shown, *([f"… and {more} more, on the page"] if more > 0 else [])]
    else:
        told += ["", "no setting differs"]
    return told


def interval(line: Line, found: Difference) -> str:
    """+0.21 dB (+0.05 to +0.37), in the metric's own decimals; the mean alone over too few groups."""
    metric = METRICS[line.metric]
    mean = metric.text(found.mean, signed=True)
    if found.low is None or found.high is None:
        return f"{mean} (no interval)"
    low, high = (
        metric.text(end, signed=True).removesuffix(metric.unit).strip() for end in (found.low, found.high)
    )
    return f"{mean} ({low} to {high})"


def remarks(comparison: Comparison) -> list[str]:
    """What must be known to read the figures."""
    groups = comparison.groups
    first = (
        f"{len(comparison.pairs)} test pairs of {counted(groups)}; gains are positive where one is better;"
        f" intervals hold with {100 * comparison.confidence:.3g} % over groups"
    )
    few = "; fewer than five groups have no interval, and prove nothing"
    several = "; wider, as there are several beside the first" if len(comparison.contenders) > 2 else ""
    last = "a comparison promotes nothing: `refocus promote` asks the gate, which counts looks at a test set"
    return [first + (few if comparison.lines[0].gains[0].low is None else several), *comparison.remarks, last]


def render_page(comparison: Comparison, sheets: Mapping[str, Bytes8], no_pictures: str | None) -> str:
    """The whole page as text. no_pictures: why there are none."""
    return (
        templates(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            comparison=comparison,
            names=[each.name for each in comparison.contenders],
            nothing=_nothing(comparison),
            metrics=METRICS,
            interval=interval,
            remarks=remarks(comparison),
            chart=differences_chart(comparison),
            sheets={name: data_uri(picture) for name, picture in sheets.items()},
            no_pictures=no_pictures,
        )
    )


def differences_chart(comparison: Comparison) -> Chart:
    """The primary metric's gain over the first contender, a dot with its interval for each other one."""
    line = comparison.lines[0]
    metric, first = METRICS[line.metric], comparison.contenders[0].name
    others = [
        (each.name, found)
        for each, found in zip(comparison.contenders, line.beside, strict=True)
        if found is not None
    ]

    def draw(plot: Plot) -> None:
        places = list(range(len(others), 0, -1))
        for place, (_, found) in zip(places, others, strict=True):
            low, high = (found.mean if end is None else end for end in (found.low, found.high))
            plot.axes.plot([low, high], [place, place], color=colour("plain"), linewidth=3.0)
        dots = plot.axes.scatter(
            [found.mean for _, found in others], places, s=60.0, color=colour("ink"), zorder=3
        )
        plot.say(dots, [f"{name}: {interval(line, found)}" for name, found in others])
        plot.axes.axvline(0.0, color=colour("faint"), linewidth=1.0)
        plot.axes.set_yticks(places, [name for name, _ in others])
        plot.axes.set_ylim(0.4, len(others) + 0.6)
        plot.axes.set_xlabel(
            f"{metric.title} gained over {first}" + (f", {metric.unit}" if metric.unit else "")
        )

    title = f"{metric.title} beside {first}"
    return Chart(title, plotted(draw, title=title, size_px=(CHART_PX, 70.0 + ROW_PX * len(others))))


def _nothing(comparison: Comparison) -> str:
    report = comparison.contenders[0].report
    return words_for(report.task, report.baseline).nothing


def _short(value: str) -> str:
    return value if len(value) <= WIDEST else value[: WIDEST - 1] + "…"
