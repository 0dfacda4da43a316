"""The report as a few lines of text, for the end of `refocus run`."""

from __future__ import annotations

from collections.abc import Sequence

from components.core.baseline import NO_TARGETS, words_for
from components.core.records import EvalReport
from components.evaluate.config import EvaluateConfig
from components.evaluate.summary import Group, by_severity, whole
from components.evaluate.unfit import counted, left_out_words
from components.metrics import METRICS, SET_METRICS, any_metric

# Metrics side by side; more stand below each other: a terminal is about 120 characters wide.
MOST_ACROSS = 3

# Nobody asked for these by name: where one cannot be measured, the report says why and how.
BY_DEFAULT = EvaluateConfig.model_fields["metrics"].default


def terminal_table(report: EvalReport) -> str:
    """The baseline against restored: every metric, on all test pairs and by severity; metrics of
    the whole set; then what was asked for and skipped.

    report: as run() saved it, so that its scores can be read.
    """
    scores = report.scores()
    fit = counted(scores)
    total, parts, words = whole(fit), by_severity(fit), words_for(report.task, report.baseline)
    columns = (words.nothing, words.restored, "gain")
    groups = {"all test pairs": total} | (
        {f"  {part.name} blur": part for part in parts} if len(parts) > 1 else {}
    )
    if len(report.metrics) <= MOST_ACROSS:
        rows = [
            ("", "pairs", *(f"{METRICS[name].title} {what}" for name in report.metrics for what in columns))
        ]
        rows += [_row(name, group, report.metrics) for name, group in groups.items()]
    else:
        rows = [("", "", "pairs", *columns)]
        rows += [
            (METRICS[metric].title, *_row(name, group, (metric,)))
            for metric in report.metrics
            for name, group in groups.items()
        ]
    lines = aligned(rows)
    lines.insert(1, "-" * len(lines[0]))
    device = report.about.get("device")
    lines += [
        "",
        f"{total.improved} of {total.count} pairs improved; {report.seconds_per_megapixel:.2f} s per"
        " megapixel" + (f" on {device}" if device else ""),
    ]
    count = len({score.counts_as for score in fit})
    if count < total.count:
        lines[-1] += f"; {count} independent group{'' if count == 1 else 's'}"
    if (left_out := left_out_words(scores)) is not None:
        lines += [left_out]
    if not report.paired:
        lines += [f"{NO_TARGETS}."]
    broken = sum(not score.finite for score in scores)
    if broken:
        lines += [f"{broken} of {total.count} pairs came out with NaN or infinity"]
    for name, value in report.set_restored.items():
        metric, nothing = SET_METRICS[name], report.set_do_nothing[name]
        gain = metric.text(metric.gain(value, nothing), signed=True)
        lines += [
            f"{metric.title} {words.nothing} {metric.text(nothing)}, {words.restored} {metric.text(value)},"
            f" gain {gain}, over {total.count} pairs"
        ]
        lines += [f"  {metric.title} is {metric.weakness}"]
    lines += [
        f"{any_metric(name).title} skipped: {reason}"
        for name, reason in report.skipped.items()
        if name not in BY_DEFAULT
    ]
    return "\n".join(lines)


def _row(name: str, group: Group, metrics: tuple[str, ...]) -> tuple[str, ...]:
    cells = [name, str(group.count)]
    for metric in metrics:
        show = METRICS[metric].text
        cells += [
            show(group.do_nothing[metric]),
            show(group.restored[metric]),
            show(group.gain(metric), signed=True),
        ]
    return tuple(cells)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines of a table; columns without a heading hold names, and stand to the left."""
    left = sum(1 for cell in rows[0] if not cell)  # columns of names have no heading
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
