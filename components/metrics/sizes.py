"""Which photos are large enough for a metric: below its window, or the border it cuts, it has no value."""

from __future__ import annotations

from collections.abc import Sequence

from components.core.errors import PhotoError
from components.metrics import METRICS

TOO_SMALL = "too small"  # the kind of reason that such a pair is left out for
Size = tuple[int, ...]  # height and width, px


def fitting(size: Size, metrics: Sequence[str]) -> tuple[str, ...]:
    """Those metrics that a target of so many px, height and width, is large enough for."""
    return tuple(name for name in metrics if METRICS[name].smallest_px <= min(size))


def too_small(size: Size, metrics: Sequence[str]) -> str | None:
    """Why a target of that height and width is not judged by the metrics, None where it is."""
    wide = max(metrics, key=lambda name: METRICS[name].smallest_px)
    if METRICS[wide].smallest_px <= min(size):
        return None
    return f"{TOO_SMALL}: {size[1]} × {size[0]} px, {wide} needs {METRICS[wide].smallest_px} px a side"


def need_one_fit(sizes: Sequence[Size], metrics: Sequence[str], where: str) -> None:
    """Raises PhotoError when every target is too small for one of the metrics.

    where: the setting that names the metrics.
    """
    reasons = [reason for size in sizes if (reason := too_small(size, metrics)) is not None]
    if sizes and len(reasons) == len(sizes):
        raise PhotoError(
            f"none of the {len(sizes)} pairs is large enough to be measured ({reasons[0]}); take that metric"
            f" out of {where}, or raise ingest.min_px and give larger photos"
        )
