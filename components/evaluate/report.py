"""The report as one HTML file that needs nothing else: pictures inside, readable in light and dark;
its only script moves the sliders.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from components.core.baseline import sentence_for, targets_words, words_for
from components.core.pages import templates
from components.core.records import EvalReport, PhotoScore
from components.evaluate.charts import gain_by_severity, gain_by_start, gains_in_order
from components.evaluate.clip import as_uri
from components.evaluate.summary import (
    Group,
    apart,
    by_blur_kind,
    by_severity,
    gain_of,
    gain_over_groups,
    has_blur,
    metrics_of,
    of_the_set,
    ranked,
    whole,
)
from components.evaluate.tables import MOST_ACROSS
from components.evaluate.unfit import counted, left_out_words
from components.metrics import METRICS, SET_METRICS, any_metric, primary_of
from components.metrics.differences import counted as groups_counted
from components.metrics.shown import Metric

Bytes8 = npt.NDArray[np.uint8]
JPEG_QUALITY = 92  # of the pictures inside the report; the sheets themselves are PNG
MOST_PX = 1280  # longer side of a photo under a slider


class Compared(NamedTuple):
    """A test photo's input and its restored version (h, w, 3) uint8, to be laid one over the other."""

    input: Bytes8
    restored: Bytes8


def render_html(
    report: EvalReport,
    scores: Sequence[PhotoScore],
    sheets: Mapping[str, Bytes8],
    compared: Mapping[str, Compared] | None = None,
    clip: bytes | None = None,
) -> str:
    """The whole page as text.

    scores: the report's rows, one a test pair.
    sheets: name ("best") to picture (h, w, 3) uint8, in the order to show them; compared: by the same
    names the photos of the sliders; clip: a WebM of a test clip before and after.
    """
    folder, words, scale = (
        Path(__file__).parent,
        words_for(report.task, report.baseline),
        report.about.get("scale"),
    )
    main, *others = apart(scores)
    fit = counted(main)
    metrics = metrics_of(fit, report.metrics)
    return (
        templates(folder)
        .get_template("report.html.j2")
        .render(
            report=report,
            digest=report.digest,
            words=words,
            nothing=sentence_for(report.task, report.baseline, scale if isinstance(scale, int) else 1),
            metrics=[METRICS[name] for name in metrics],
            over_groups={name: _interval(main, name) for name in metrics},
            **_alone(others, report.metrics),
            set_count=len(counted(of_the_set(scores))),
            set_metrics=[SET_METRICS[name] for name in report.set_restored],
            skipped={any_metric(name).title: reason for name, reason in report.skipped.items()},
            stacked=len(metrics) > MOST_ACROSS,
            primary=METRICS[primary_of(metrics)],
            total=whole(fit),
            tables=_tables(fit),
            has_blur=has_blur(fit),
            columns=[METRICS[name] for name in report.metrics],
            photos=[row for part in (main, *others) for row in _rows(part)],
            groups=len({score.counts_as for score in fit}),
            left_out=left_out_words(scores),
            no_targets=targets_words(row.paired for row in scores),
            broken=[score for score in scores if not score.finite],
            charts=[
                gains_in_order(fit),
                gain_by_severity(fit) if has_blur(fit) else gain_by_start(fit, words.nothing),
            ],
            clip=None if clip is None else as_uri(clip),
            sheets={name: data_uri(picture) for name, picture in sheets.items()},
            compared={
                name: (data_uri(_fitted(pair.input)), data_uri(_fitted(pair.restored)))
                for name, pair in (compared or {}).items()
            },
        )
    )


def _alone(parts: Sequence[Sequence[PhotoScore]], names: Sequence[str]) -> dict[str, Any]:
    """What the page shows of photos without a target beside test pairs. parts: their rows, if any."""
    scores = counted(parts[0]) if parts else ()
    return {
        "alone": whole(scores) if scores else None,
        "of_alone": [(METRICS[name], _interval(scores, name)) for name in metrics_of(scores, names)],
    }


def _rows(scores: Sequence[PhotoScore]) -> list[tuple[PhotoScore, Metric, float]]:
    """Rows with the metric that puts them in order, and what they gained in it."""
    return [(score, METRICS[primary_of(score.restored)], gain_of(score)) for score in ranked(scores)]


def _interval(scores: Sequence[PhotoScore], metric: str) -> str:
    """Where the mean gain over independent groups lies, in words."""
    found, text = gain_over_groups(counted(scores), metric), METRICS[metric].text
    if found.low is None or found.high is None:
        return f"{groups_counted(found.groups)}: too few for an interval"
    ends = f"{text(found.low, signed=True)} to {text(found.high, signed=True)}"
    return f"{ends} with 95 % over {groups_counted(found.groups)}"


def _tables(scores: Sequence[PhotoScore]) -> dict[str, tuple[Group, ...]]:
    """The groups worth a table: by blur where there is one, by kind where there are several."""
    kinds = by_blur_kind(scores)
    if has_blur(scores):
        return {"severity": by_severity(scores), "kind of blur": kinds}
    return {"kind": kinds} if len(kinds) > 1 else {}


def _fitted(photo: Bytes8) -> Bytes8:
    """A photo, shrunk where it is larger than a page shows."""
    share = MOST_PX / max(photo.shape[:2])
    if share >= 1:
        return photo
    size = (max(1, round(photo.shape[1] * share)), max(1, round(photo.shape[0] * share)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def data_uri(picture: Bytes8) -> str:
    """A picture as a page holds it."""
    # 4:4:4, because a sheet is there to be looked at closely.
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    assert done, "OpenCV could not encode a JPEG"
    return "data:image/jpeg;base64," + base64.b64encode(bytes(data)).decode()
