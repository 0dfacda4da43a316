"""The recipe's `evaluate` section: which metrics, how large a tile, which pictures to draw."""

from __future__ import annotations

from typing import Literal, Self, TypedDict

from pydantic import Field, model_validator

from components.core.errors import RecipeError
from components.core.gpu import Gpu
from components.core.parts import Part
from components.metrics import METRICS, PRIMARY, metric_named, set_metric_named
from components.nets.choices import Precision

SheetName = Literal["best", "median", "worst"]


class Conditions(TypedDict):
    """With what a net is measured: the size of its tiles, on which device, in which arithmetic."""

    tile_px: int
    gpu: Gpu
    precision: Precision


class EvaluateConfig(Part):
    """How a checkpoint is measured. Restored photos are clipped and rounded to the pairs' 8 or 16
    bits first, as anyone who saves them does.
    """

    metrics: tuple[str, ...] = Field(
        default=("psnr_rgb", "ssim_gauss11_rgb", "lpips_alex"),
        min_length=1,
        description="metric names with their variant; those that cannot be measured are reported as skipped",
    )
    set_metrics: tuple[str, ...] = Field(
        default=(),
        description=(
            "metrics of the whole test set, such as fid_inception: reported, never gated, weak on few photos;"
            " skipped likewise"
        ),
    )
    tile_px: int = Field(
        1024, ge=256, le=8192, description="longer photos are restored in overlapping tiles of this size, px"
    )
    gpu: Gpu = Field(
        "auto",
        description=(
            "where photos are restored and measured, the champion's too; auto: on a GPU where this machine,"
            " or the cluster, has one; require: refused where there is none; never: on processors"
        ),
    )
    precision: Precision = Field(
        "fp32",
        description=(
            "in which nets restore: that in which they will serve; metrics are always measured in IEEE"
            " float32. Models measured in two are not compared"
        ),
    )
    sheets: tuple[SheetName, ...] = Field(
        default=("best", "median", "worst"), description="side-by-side pictures to draw, by PSNR gained"
    )
    error_gain: float = Field(
        4.0, ge=1, le=32, description="how many times the error is amplified on the sheets"
    )

    @property
    def conditions(self) -> Conditions:
        """With what this and the champion are measured."""
        return Conditions(tile_px=self.tile_px, gpu=self.gpu, precision=self.precision)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name in self.metrics:
            metric_named(name)
        for name in self.set_metrics:
            set_metric_named(name)
        for field, values in (
            ("metrics", self.metrics),
            ("set_metrics", self.set_metrics),
            ("sheets", self.sheets),
        ):
            if len(set(values)) < len(values):
                raise RecipeError(
                    f"evaluate.{field} names something twice: {', '.join(values)}; name each once"
                )
        if PRIMARY not in self.metrics and any(METRICS[name].needs_target for name in self.metrics):
            raise RecipeError(
                f"evaluate.metrics must hold {PRIMARY}: the gate and the order of the pictures rest on it;"
                f" got {', '.join(self.metrics)}"
            )
        return self
