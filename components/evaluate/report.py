"""The report as one HTML file that needs nothing else: pictures inside, no script, readable in
light and dark.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.core.baseline import sentence_for, words_for
from components.core.records import EvalReport, PhotoScore
from components.evaluate.charts import gain_by_severity, gain_by_start, gains_in_order
from components.evaluate.summary import Group, by_blur_kind, by_severity, gain_of, has_blur, ranked, whole
from components.evaluate.tables import MOST_ACROSS
from components.evaluate.unfit import counted, left_out_words
from components.metrics import METRICS, PRIMARY, SET_METRICS, any_metric

Bytes8 = npt.NDArray[np.uint8]
JPEG_QUALITY = 92  # of the pictures inside the report; the sheets themselves are PNG


def render_html(report: EvalReport, scores: Sequence[PhotoScore], sheets: Mapping[str, Bytes8]) -> str:
    """The whole page as text.

    scores: the report's rows, one a test pair.
    sheets: name ("best") to picture (h, w, 3) uint8, in the order to show them.
    """
    folder, words, scale = (
        Path(__file__).parent,
        words_for(report.task, report.baseline),
        report.about.get("scale"),
    )
    fit = counted(scores)
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        digest=report.digest,
        words=words,
        nothing=sentence_for(report.task, report.baseline, scale if isinstance(scale, int) else 1),
        metrics=[METRICS[name] for name in report.metrics],
        set_metrics=[SET_METRICS[name] for name in report.set_restored],
        skipped={any_metric(name).title: reason for name, reason in report.skipped.items()},
        stacked=len(report.metrics) > MOST_ACROSS,
        primary=METRICS[PRIMARY],
        total=whole(fit),
        tables=_tables(fit),
        has_blur=has_blur(fit),
        photos=[(score, gain_of(score)) for score in ranked(scores)],
        groups=len({score.counts_as for score in fit}),
        left_out=left_out_words(scores),
        broken=[score for score in scores if not score.finite],
        charts=[
            gains_in_order(fit),
            gain_by_severity(fit) if has_blur(fit) else gain_by_start(fit, words.nothing),
        ],
        sheets={name: data_uri(picture) for name, picture in sheets.items()},
    )


def _tables(scores: Sequence[PhotoScore]) -> dict[str, tuple[Group, ...]]:
    """The groups worth a table: by blur where there is one, by kind where there are several."""
    kinds = by_blur_kind(scores)
    if has_blur(scores):
        return {"severity": by_severity(scores), "kind of blur": kinds}
    return {"kind": kinds} if len(kinds) > 1 else {}


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
