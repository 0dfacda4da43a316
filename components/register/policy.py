"""What a version must prove before it serves: the recipe's `register.gate`."""

from __future__ import annotations

from pydantic import Field

from components.core.parts import Part
from components.register.proof import Rule


class ParityPolicy(Part):
    """How far an exported file may be from the checkpoint that it was made of; one beyond it is not
    delivered.
    """

    largest_error: float = Field(
        1e-3,
        gt=0,
        le=1,
        description=(
            "of a value in [0, 1], over all test photos, for formats that round nothing (a level of 8 bits is"
            " 3.9e-3)"
        ),
    )
    largest_loss: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the gain over doing nothing that may be lost, on every metric that gained",
    )


class GatePolicy(Part):
    """What a version must prove. Margins are in the metric's own units; a metric without one may
    not be worse at all.
    """

    primary: str = Field("psnr_rgb", description="the metric on which a version must be better")
    min_gain: float = Field(
        0.0,
        ge=0,
        description=(
            "mean gain over doing nothing on the primary metric must be greater than this (dB for PSNR)"
        ),
    )
    margins: dict[str, float] = Field(
        default_factory=lambda: {
            "psnr_rgb": 0.05,
            "ssim_gauss11_rgb": 0.002,
            "lpips_alex": 0.005,
            "psnr_y_crop4": 0.05,
            "ssim_y_crop4": 0.002,
        },
        description=(
            "by how much a version may be worse than doing nothing or the champion, by metric, over all test"
            " photos"
        ),
    )
    class_margins: dict[str, float] = Field(
        default_factory=lambda: {
            "psnr_rgb": 0.2,
            "ssim_gauss11_rgb": 0.01,
            "lpips_alex": 0.02,
            "psnr_y_crop4": 0.2,
            "ssim_y_crop4": 0.01,
        },
        description=(
            "by how much it may be worse than the champion within one severity class (mild, medium, strong)"
        ),
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="coverage of the intervals that are shown; the floors hold at their lower end",
    )
    level: float = Field(
        0.05,
        gt=0,
        le=0.2,
        description=(
            "the most probable it may be that a champion is ever replaced by a version that is no better,"
            " in so many nights as the next setting says"
        ),
    )
    nights: int = Field(1000, ge=1, description="versions that are judged against one champion, in all")
    looks_per_set: int = Field(
        250,
        ge=1,
        description=(
            "how often one test set is looked at before it is worn out and a rotation is asked for"
            " (ingest.split.rotation)"
        ),
    )
    least_gain: float = Field(
        0.05,
        ge=0,
        description=(
            "mean gain over the champion below which nothing is promoted, however sure (dB for PSNR; the"
            " default is below what seeds do)"
        ),
    )
    least_groups: int = Field(
        8,
        ge=2,
        description=(
            "independent test groups (scenes, clips, near duplicates) below which a champion is never"
            " replaced by itself"
        ),
    )
    targets: dict[str, float] = Field(
        default_factory=dict,
        exclude_if=lambda targets: not targets,
        description=(
            "by metric, what the mean over test photos must reach: at least this where higher is better, at"
            " most where lower is; none by default, since it hangs on the photos"
        ),
    )
    range_tolerance: float = Field(
        0.5, ge=0, description="how far below 0 or above 1 the generator's output may go before clipping"
    )
    max_seconds_per_megapixel: float | None = Field(
        None, gt=0, description="latency budget (median over photos); none by default"
    )
    min_test_photos: int = Field(
        1, ge=1, description="independent test groups needed for any verdict, also the first"
    )

    parity: ParityPolicy = Field(
        default_factory=ParityPolicy, description="how far an exported file may be from the checkpoint"
    )

    @property
    def rule(self) -> Rule:
        """What is promised, for components/register/proof.py."""
        return Rule(self.level, self.nights, self.least_gain)
