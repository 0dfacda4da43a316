"""What a model card says of how the model was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from components.core.baseline import sentence_for, words_for
from components.core.records import EvalReport, PairSet, PhotoScore
from components.metrics import METRICS, SET_METRICS
from components.metrics.differences import counted


def figures(pairset: PairSet, report: EvalReport, scores: tuple[PhotoScore, ...]) -> str:
    """A table of every metric beside doing nothing, what it rests on, and what each metric is. scores: the
    report's rows.
    """
    words = words_for(report.task, report.baseline)
    lines = [f"| metric | {words.nothing} (doing nothing) | {words.restored} |", "| --- | ---: | ---: |"]
    lines += [
        f"| `{name}` | {report.do_nothing[name]:.4f} | {report.restored[name]:.4f} |"
        for name in report.metrics
        if name in report.restored
    ]
    lines += [
        f"| `{name}` | {report.set_do_nothing[name]:.4f} | {value:.4f} |"
        for name, value in report.set_restored.items()
    ]
    lines += [f"| `{name}` | not measured: {why} | |" for name, why in report.skipped.items()]
    classes = Counter(score.severity_class for score in scores if score.severity > 0)
    spread = (
        f" (blur: {', '.join(f'{count} {kind}' for kind, count in sorted(classes.items()))})"
        if classes
        else ""
    )
    left_out = sum(score.left_out is not None for score in scores)
    aside = f" ({left_out} more show nothing that could be judged)" if left_out else ""
    lines += [
        "",
        (
            f"Means over {_what(scores)}{spread} of {counted(groups_of(scores))}{aside};"
            f" {report.seconds_per_megapixel:.2f} s per megapixel (median)"
            f" on {report.measured_on or 'the machine where it was measured'}. Doing nothing is"
            f" {sentence_for(report.task, report.baseline, pairset.scale)}."
        ),
        "",
    ]
    lines += [f"- `{name}`: {METRICS[name].words}." for name in report.metrics if name in METRICS]
    whole = sum(not row.paired for row in scores) or len(scores)
    lines += [
        f"- `{name}`, over all {whole} pairs at once: {SET_METRICS[name].words};"
        f" {SET_METRICS[name].weakness}."
        for name in report.set_restored
    ]
    return "\n".join(lines)


def _what(scores: Iterable[PhotoScore]) -> str:
    """What the means rest on: test pairs, and photos without a target."""
    fit = [score for score in scores if score.left_out is None]
    pairs = sum(score.paired for score in fit)
    alone = len(fit) - pairs
    told = {"test pairs": pairs, "test photos without a target": alone}
    return " and ".join(f"{count} {what}" for what, count in told.items() if count) or "no test pair"


def groups_of(scores: Iterable[PhotoScore]) -> int:
    """Independent groups among the pairs that count."""
    return len({score.counts_as for score in scores if score.left_out is None})
