"""The report as a few lines of text, for the end of `refocus run`."""

from __future__ import annotations

from components.core.records import EvalReport
from components.evaluate.summary import Group, by_severity, whole
from components.metrics import METRICS


def terminal_table(report: EvalReport) -> str:
    """Blurred against restored: every metric, on all test pairs and by severity; then what was skipped.

    report: as run() saved it, so that its scores can be read.
    """
    scores = report.scores()
    total, parts = whole(scores), by_severity(scores)
    rows = [("", "pairs", *(f"{METRICS[name].title} {what}" for name in report.metrics for what in ("blurred", "restored", "gain")))]
    rows += [_row("all test pairs", total, report.metrics)]
    if len(parts) > 1:
        rows += [_row(f"  {part.name} blur", part, report.metrics) for part in parts]
    lines = _aligned(rows)
    lines.insert(1, "-" * len(lines[0]))
    device = report.about.get("device")
    lines += [
        "",
        f"{total.improved} of {total.count} pairs improved; {report.seconds_per_megapixel:.2f} s per megapixel" + (f" on {device}" if device else ""),
    ]
    broken = sum(not score.finite for score in scores)
    if broken:
        lines += [f"{broken} of {total.count} pairs came out with NaN or infinity"]
    lines += [f"{METRICS[name].title} skipped: {reason}" for name, reason in report.skipped.items()]
    return "\n".join(lines)


def _row(name: str, group: Group, metrics: tuple[str, ...]) -> tuple[str, ...]:
    cells = [name, str(group.count)]
    for metric in metrics:
        show = METRICS[metric].text
        cells += [show(group.do_nothing[metric]), show(group.restored[metric]), show(group.gain(metric), signed=True)]
    return tuple(cells)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows
    ]
