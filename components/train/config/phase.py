"""A stretch of a training: its length, its crops, what counts in it, and what may end it early."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from components.core.parts import Part
from components.train.config.schedules import Constant, Schedule


class EarlyStopping(Part):
    """End a phase when a validation metric has not improved for a while (Prechelt 1998, "Early
    stopping - but when?").
    """

    metric: str = Field("psnr_rgb", description="one of validate_metrics")
    patience: int = Field(5, ge=1, description="validations in a row without a better value")
    least: float = Field(
        0.0,
        ge=0,
        description=(
            "smallest improvement that counts, in the metric's unit; none counts below its standard error"
            " over the validation photos"
        ),
    )


class Phase(Part):
    """A stretch of training: how long, on what crops, with or without the discriminators."""

    name: str = Field(min_length=1)
    epochs: float | None = Field(
        None, gt=0, le=1e6, description="length as passes over the training pairs; this or `images`"
    )
    images: int | None = Field(None, gt=0, le=10**12, description="length in images the generator has seen")
    crop_px: int = Field(256, ge=16, le=2048, description="side of the square crops")
    batch: int = Field(1, ge=1, le=4096, description="images a step over all workers together")
    accumulate: int = Field(
        1,
        ge=1,
        le=4096,
        description=(
            "parts in which the generator works through a worker's share of the batch, adding up gradients:"
            " as much less memory, the same step"
        ),
    )
    adversarial: bool = Field(True, description="false trains the generator on the content losses alone")
    content: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="names of the content losses that count in this phase; null: all of them",
    )
    schedule: Schedule = Field(default_factory=Constant)
    warm_up_images: int = Field(
        0,
        ge=0,
        description=(
            "the learning rate rises in a straight line over the phase's first images (Goyal et al. 2017,"
            " sec. 2.2), then follows the schedule"
        ),
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="may end this phase before its length; the next one follows"
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.images is None):
            raise ValueError(
                f'phase "{self.name}" needs its length as epochs or as images, one of the two; got'
                f" epochs={self.epochs}, images={self.images}"
            )
        return self

    def counts(self, content: str) -> bool:
        """Whether the content loss of that name counts in this phase."""
        return self.content is None or content in self.content

    def lr_multiplier(self, images: int, length: int) -> float:
        """Multiplier of the learning rate for the step that begins after so many of the phase's images."""
        warm = min(1.0, (images + self.batch) / self.warm_up_images) if self.warm_up_images else 1.0
        return warm * self.schedule.lr_multiplier(images / length)

    def length_images(self, pairs: int) -> int:
        """Length in images for a training set of so many pairs: whole batches, at least one."""
        wanted = self.images if self.images is not None else (self.epochs or 0) * pairs
        return max(1, round(wanted / self.batch)) * self.batch
