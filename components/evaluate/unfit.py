"""Pairs that nothing may be judged by: there is nothing to see, a metric has reached its end, or the
photo is smaller than a metric's window.

A picture of one colour, or a black frame, has no detail that could be lost or restored; its PSNR is
that of its noise, and one such photo would decide about a promotion. The same holds where the given
or the restored picture is the target itself, whose PSNR is infinite and is kept as 100 dB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2

from components.core.images import Pixels, to_float
from components.core.records import PhotoScore
from components.metrics import METRICS
from components.metrics.sizes import TOO_SMALL

BLOCK_PX = 8  # averaged, so that a sensor's noise is no content
LEAST_LEVELS = 1.0  # of 255: standard deviation of the averages over the photo


def why_left_out(target: Pixels, *values: Mapping[str, float]) -> str | None:
    """Why a pair is not judged, "kind: reason"; None where it is.

    target: (H, W, 3); values: by metric, of the restored picture and of the baseline; those of
    metrics that the photo is too small for are not among them.
    """
    seen = contrast(target)
    if seen < LEAST_LEVELS:
        return f"blank: its target varies by {seen:.2f} of 255 levels, {LEAST_LEVELS:g} is the least"
    for name, value in (item for each in values for item in each.items()):
        if math.isfinite(METRICS[name].ceiling) and value >= METRICS[name].ceiling:
            return f"saturated: {name} is {METRICS[name].text(value)}, the most that is kept"
    return None


def contrast(photo: Pixels) -> float:
    """How much a picture shows: standard deviation of the means of 8 × 8 px, in levels of 255; of
    the channel that shows most.
    """
    height, width = photo.shape[:2]
    size = max(1, round(width / BLOCK_PX)), max(1, round(height / BLOCK_PX))
    means = cv2.resize(to_float(photo), size, interpolation=cv2.INTER_AREA)
    return float(255 * means.reshape(-1, 3).std(axis=0).max())


def counted(scores: Sequence[PhotoScore]) -> tuple[PhotoScore, ...]:
    """The rows that count; where none would be left all that have every value, so that a report can be
    written.
    """
    fit = tuple(score for score in scores if score.left_out is None)
    return fit or tuple(score for score in scores if not str(score.left_out).startswith(TOO_SMALL))


def left_out_words(scores: Sequence[PhotoScore]) -> str | None:
    """How many pairs are not judged and why; None when all are."""
    reasons = [score.left_out.split(":")[0] for score in scores if score.left_out is not None]
    if not reasons:
        return None
    told = ", ".join(f"{reasons.count(kind)} {kind}" for kind in sorted(set(reasons)))
    return f"{len(reasons)} of {len(scores)} pairs are left out of the means and of judging: {told}"


__all__ = ["contrast", "counted", "left_out_words", "why_left_out"]
