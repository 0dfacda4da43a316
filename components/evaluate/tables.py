"""The report as a few lines of text, for the end of `refocus run`."""

from __future__ import annotations

from collections.abc import Sequence

from components.core.baseline import Words, targets_words, words_for
from components.core.records import EvalReport, PhotoScore
from components.evaluate.config import EvaluateConfig
from components.evaluate.summary import (
    Group,
    apart,
    by_severity,
    metrics_of,
    of_the_set,
    whole,
)
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
    scores, words = report.scores(), words_for(report.task, report.baseline)
    device = report.about.get("device")
    time = f"{report.seconds_per_megapixel:.2f} s per megapixel" + (f" on {device}" if device else "")
    lines: list[str] = []
    for part in apart(scores):
        lines += [*([""] if lines else []), *_part(part, report, words, "" if lines else time)]
    if (left_out := left_out_words(scores)) is not None:
        lines += [left_out]
    if (told := targets_words(row.paired for row in scores)) is not None:
        lines += [f"{told}."]
    broken = sum(not score.finite for score in scores)
    if broken:
        lines += [f"{broken} of {len(scores)} pairs came out with NaN or infinity"]
    for name, value in report.set_restored.items():
        metric, nothing = SET_METRICS[name], report.set_do_nothing[name]
        gain = metric.text(metric.gain(value, nothing), signed=True)
        lines += [
            f"{metric.title} {words.nothing} {metric.text(nothing)}, {words.restored} {metric.text(value)},"
            f" gain {gain}, over {len(of_the_set(scores))} pairs"
        ]
        lines += [f"  {metric.title} is {metric.weakness}"]
    lines += [
        f"{any_metric(name).title} skipped: {reason}"
        for name, reason in report.skipped.items()
        if name not in BY_DEFAULT
    ]
    return "\n".join(lines)


def _part(scores: Sequence[PhotoScore], report: EvalReport, words: Words, time: str) -> list[str]:
    """The table of rows that have the same metrics, and how many of them improved. time: what else to say
    there.
    """
    fit = counted(scores)
    metrics = metrics_of(fit, report.metrics)
    total, parts = whole(fit), by_severity(fit)
    columns = (words.nothing, words.restored, "gain")
    what = "pairs" if scores[0].paired else "photos without a target"
    groups = {"all test pairs" if scores[0].paired else what: total} | (
        {f"  {part.name} blur": part for part in parts} if len(parts) > 1 else {}
    )
    if len(metrics) <= MOST_ACROSS:
        rows = [("", "pairs", *(f"{METRICS[name].title} {column}" for name in metrics for column in columns))]
        rows += [_row(name, group, metrics) for name, group in groups.items()]
    else:
        rows = [("", "", "pairs", *columns)]
        rows += [
            (METRICS[metric].title, *_row(name, group, (metric,)))
            for metric in metrics
            for name, group in groups.items()
        ]
    lines = aligned(rows)
    lines.insert(1, "-" * len(lines[0]))
    lines += ["", f"{total.improved} of {total.count} {what} improved" + (f"; {time}" if time else "")]
    count = len({score.counts_as for score in fit})
    if count < total.count:
        lines[-1] += f"; {count} independent group{'' if count == 1 else 's'}"
    return lines


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
