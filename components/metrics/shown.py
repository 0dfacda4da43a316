"""What a metric is: its name with its variant, which way is better, how it is measured and shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.metrics.sets import Features

if TYPE_CHECKING:
    from torch import Tensor

    from components.core.levels import Bytes8, Pixels


def _always_there() -> None:
    """A metric that needs no weights."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a metric is called, which way is better, how it is shown."""

    name: str
    title: str
    better: Literal["higher", "lower"]
    unit: str  # dB, or "" for a bare number
    digits: int  # decimals worth reading
    words: str  # the variant spelled out, for reports and model cards
    missing: Callable[[], str | None] = (
        _always_there  # why it cannot be measured here and the remedy; None when it can
    )
    weights: tuple[str, ...] = ()  # names of files (nets/weights_files.py) of which it needs one

    def gain(self, restored: float, do_nothing: float) -> float:
        """How much better the restored photo is than the baseline; positive is better whichever way
        the metric runs.
        """
        return restored - do_nothing if self.better == "higher" else do_nothing - restored

    def text(self, value: float, *, signed: bool = False) -> str:
        """A value as people read it.

        >>> from components.metrics import METRICS
        >>> METRICS["psnr_rgb"].text(24.05), METRICS["ssim_gauss11_rgb"].text(0.0123, signed=True)
        ('24.05 dB', '+0.0123')
        >>> METRICS["psnr_rgb"].text(-0.001, signed=True)
        '0.00 dB'
        """
        rounded = round(value, self.digits) or 0.0  # never -0.00
        number = f"{rounded:+.{self.digits}f}" if signed and rounded else f"{rounded:.{self.digits}f}"
        return f"{number} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Metric(Shown):
    """One variant of one metric, measured photo by photo."""

    function: Callable[[Tensor, Tensor], Tensor]  # restored, target
    # Of neighbouring frames: before and now of the restored video, before and now of the sharp one. None
    # for most; what has it has no value for a photo alone.
    over_time: Callable[[Bytes8, Bytes8, Bytes8, Bytes8], float] | None = None
    ceiling: float = math.inf  # the most that is ever stored: JSON has no infinity
    smallest_px: int = 1  # sides of the smallest photo that it has a value for
    needs_target: bool = True  # whether it says anything only against a photo's own target
    # of a metric that is fitted to a set's sharp training photos: from them to what measures
    fit: Callable[[Iterable[Pixels]], Callable[[Tensor, Tensor], Tensor]] | None = None

    def stored(self, value: float) -> float:
        """The value as reports keep it: PSNR of identical photos is infinite and is kept as 100 dB.

        >>> from components.metrics import METRICS
        >>> METRICS["psnr_rgb"].stored(math.inf)
        100.0
        """
        return min(value, self.ceiling)


@dataclass(frozen=True, kw_only=True)
class SetMetric(Shown):
    """One variant of one metric, measured on all photos of a set at once: no photo has a value of
    its own, so no gate rests on it.
    """

    features: Callable[[Bytes8], Features]  # of one photo (H, W, 3) uint8
    function: Callable[[Features, Features], float]  # of what was made and what should have been made
    weakness: str  # what small sets do to it; stands wherever the value does
