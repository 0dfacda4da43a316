"""How near a restored photo is to the sharp one: named variants, because "PSNR" and "SSIM" alone are not numbers one can compare.

Every metric is a function per photo: (N, 3, H, W) floats in [0, 1] twice -> (N,) float64. Means over photos add across workers.
On the shared GoPro pairs the Y channel reads 1.3 to 1.5 dB above RGB, and SSIM moves by up to 0.03 with its window and border;
therefore a metric's name carries its variant, and `words` spells it out for the report.
This module does not import torch, so that recipes can name metrics cheaply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.core.errors import InputError, nearest
from components.metrics.lpips import lpips_alex, lpips_missing
from components.metrics.psnr import psnr_rgb
from components.metrics.ssim import ssim_gauss11_rgb

if TYPE_CHECKING:
    from torch import Tensor

PRIMARY = "psnr_rgb"


def _always_there() -> None:
    """A metric that needs no weights."""


@dataclass(frozen=True)
class Metric:
    """One variant of one metric: what it is called, which way is better, how it is measured and shown."""

    name: str
    title: str
    better: Literal["higher", "lower"]
    unit: str  # dB, or "" for a bare number
    digits: int  # decimals worth reading
    words: str  # the variant spelled out, for reports and model cards
    function: Callable[[Tensor, Tensor], Tensor]
    missing: Callable[[], str | None] = _always_there  # why it cannot be measured here and the remedy; None when it can
    ceiling: float = math.inf  # the most that is ever stored: JSON has no infinity

    def stored(self, value: float) -> float:
        """The value as reports keep it: PSNR of identical photos is infinite and is kept as 100 dB.

        >>> METRICS["psnr_rgb"].stored(math.inf)
        100.0
        """
        return min(value, self.ceiling)

    def gain(self, restored: float, do_nothing: float) -> float:
        """How much better the restored photo is than the blurred one; positive is better whichever way the metric runs."""
        return restored - do_nothing if self.better == "higher" else do_nothing - restored

    def text(self, value: float, *, signed: bool = False) -> str:
        """A value as people read it.

        >>> METRICS["psnr_rgb"].text(24.05), METRICS["ssim_gauss11_rgb"].text(0.0123, signed=True)
        ('24.05 dB', '+0.0123')
        """
        number = f"{value:+.{self.digits}f}" if signed else f"{value:.{self.digits}f}"
        return f"{number} {self.unit}".strip()


_ALL = (
    Metric(
        name="psnr_rgb",
        title="PSNR",
        better="higher",
        unit="dB",
        digits=2,
        words="peak signal-to-noise ratio over the three RGB channels together, 8-bit photos, data range 255, no border cut; "
        "identical photos (infinite) are kept as 100 dB",
        function=psnr_rgb,
        ceiling=100.0,
    ),
    Metric(
        name="ssim_gauss11_rgb",
        title="SSIM",
        better="higher",
        unit="",
        digits=4,
        words="structural similarity (Wang et al. 2004), 11×11 Gaussian window with sigma 1.5, windows wholly inside the photo, "
        "biased covariance, mean over the RGB channels, 8-bit photos",
        function=ssim_gauss11_rgb,
    ),
    Metric(
        name="lpips_alex",
        title="LPIPS",
        better="lower",
        unit="",
        digits=4,
        words="learned perceptual distance (Zhang et al. 2018), version 0.1, AlexNet with its linear layer, whole photo, mean over positions",
        function=lpips_alex,
        missing=lpips_missing,
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metric_named(name: str) -> Metric:
    """The metric of that name. Raises InputError, pointing to the nearest, when there is none."""
    if name not in METRICS:
        raise InputError(f'no metric is called "{name}"; there are {", ".join(METRICS)}.{nearest(name, METRICS)}')
    return METRICS[name]


def measurable(names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Split metric names into those that can be measured on this machine and {name: why not and the remedy}."""
    skipped = {name: reason for name in names if (reason := metric_named(name).missing()) is not None}
    return tuple(name for name in names if name not in skipped), skipped


__all__ = ["METRICS", "PRIMARY", "Metric", "lpips_alex", "lpips_missing", "measurable", "metric_named", "psnr_rgb", "ssim_gauss11_rgb"]
