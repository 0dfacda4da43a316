"""The report as one HTML file that needs nothing else: pictures inside, readable in light and dark;
its only script moves the sliders.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from components.core.baseline import NO_TARGETS, sentence_for, words_for
from components.core.pages import templates
from components.core.records import EvalReport, PhotoScore
from components.evaluate.charts import gain_by_severity, gain_by_start, gains_in_order
from components.evaluate.clip import as_uri
from components.evaluate.summary import Group, by_blur_kind, by_severity, gain_of, has_blur, ranked, whole
from components.evaluate.tables import MOST_ACROSS
from components.evaluate.unfit import counted, left_out_words
from components.metrics import METRICS, SET_METRICS, any_metric, primary_of

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
    fit = counted(scores)
    return (
        templates(folder)
        .get_template("report.html.j2")
        .render(
            report=report,
            digest=report.digest,
            words=words,
            nothing=sentence_for(report.task, report.baseline, scale if isinstance(scale, int) else 1),
            metrics=[METRICS[name] for name in report.metrics],
            set_metrics=[SET_METRICS[name] for name in report.set_restored],
            skipped={any_metric(name).title: reason for name, reason in report.skipped.items()},
            stacked=len(report.metrics) > MOST_ACROSS,
            primary=METRICS[primary_of(report.metrics)],
            total=whole(fit),
            tables=_tables(fit),
            has_blur=has_blur(fit),
            photos=[(score, gain_of(score)) for score in ranked(scores)],
            groups=len({score.counts_as for score in fit}),
            left_out=left_out_words(scores),
            no_targets=None if report.paired else NO_TARGETS,
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
