"""The recipe's section `synthesize`: which blurs, which camera, how many pairs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part, digest_of
from components.synthesize.blurs import Blur, RandomTrajectory
from components.synthesize.camera import Camera

SeverityClass = Literal["mild", "medium", "strong"]
Radius = Annotated[float, Field(gt=0)]


class SynthesizeConfig(Part):
    """How sharp photos become pairs."""

    seed: int = Field(0, ge=0, description="another seed draws other blurs and noise for the same photos")
    blurs: tuple[Blur, ...] = Field((RandomTrajectory(),), min_length=1, description="kinds of blur; one is drawn per pair, by weight")
    camera: Camera = Field(default_factory=Camera, description="what the camera adds after the blur")
    pairs_per_photo: int = Field(1, ge=1, le=99, description="pairs from each training photo, each with a blur of its own")
    pairs_per_eval_photo: int = Field(1, ge=1, le=99, description="pairs from each validation and test photo")
    max_side_px: int | None = Field(
        None, ge=16, description="photos with a longer side are shrunk to it first (a blur of 15 px cannot be seen at 12 megapixels); null keeps every size"
    )
    severity_bounds_px: tuple[Radius, Radius] = Field((2.0, 5.0), description="RMS radius of the blur where mild ends and where strong begins")
    workers: int = Field(0, ge=0, le=4096, description="Ray workers; 0 works in the stage's own process. The pairs are the same whatever it is")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        mild, strong = self.severity_bounds_px
        if mild > strong:
            raise ValueError(f"severity_bounds_px is [{mild:g}, {strong:g}]: the smaller radius comes first")
        if self.max_side_px is not None and self.max_side_px < self.largest_blur_px:
            raise ValueError(
                f"max_side_px is {self.max_side_px}, but a blur of these settings may be {self.largest_blur_px} px wide;"
                " raise max_side_px or lower the blur's canvas_px"
            )
        return self

    @property
    def largest_blur_px(self) -> int:
        """No kernel is wider or higher than this; photos must not be smaller."""
        return max(blur.largest_px for blur in self.blurs)

    @property
    def identity(self) -> str:
        """Digest of everything that the pairs depend on: all settings but `workers`."""
        return digest_of(self.model_dump(mode="json", exclude={"workers"}))

    def severity_class(self, severity_px: float) -> SeverityClass:
        """The class of a blur by its RMS radius in px."""
        mild, strong = self.severity_bounds_px
        return "mild" if severity_px < mild else "medium" if severity_px < strong else "strong"
