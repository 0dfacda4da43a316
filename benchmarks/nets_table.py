"""The rows of benchmarks/nets.py, and how they are printed."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Row:
    """One net. Seconds are the recipe's, so they stand beside its generator alone."""

    recipe: str
    net: str
    kind: str
    parameters: int
    crop_px: int
    macs_crop: int
    macs_720p: int | None = None
    batch: int | None = None
    seconds_per_training_image: float | None = None
    training_device: str | None = None
    seconds_per_megapixel_cpu: float | None = None
    seconds_per_megapixel_gpu: float | None = None


HEAD = (
    "recipe",
    "net",
    "kind",
    "parameters",
    "crop",
    "GMACs",
    "GMACs 720p",
    "batch",
    "s/train image",
    "s/MP cpu",
    "s/MP gpu",
)
FORM = "{:<20}{:<17}{:<12}{:>12}{:>6}{:>9}{:>12}{:>7}{:>15}{:>10}{:>10}"


def line(row: Row) -> str:
    """One row of the table; a dash where there is nothing to say."""

    def shown(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    large = None if row.macs_720p is None else row.macs_720p / 1e9
    return FORM.format(
        row.recipe,
        row.net,
        row.kind,
        f"{row.parameters:,}",
        row.crop_px,
        shown(row.macs_crop / 1e9, 2),
        shown(large, 1),
        shown(row.batch, 0),
        shown(row.seconds_per_training_image, 4),
        shown(row.seconds_per_megapixel_cpu, 3),
        shown(row.seconds_per_megapixel_gpu, 4),
    )
