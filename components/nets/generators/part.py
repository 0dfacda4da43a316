"""What all generators share: their fields at test time, and what is known of a net before it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part
from components.nets.norms import Batch, Instance, Norm

if TYPE_CHECKING:
    from torch import nn


class GeneratorPart(Part):
    """What all generators share."""

    norm: Norm = Field(Instance(), description="normalisation behind each inner convolution")
    test_time_dropout: bool = Field(
        False,
        description=(
            "keep dropout on when restoring, the noise of pix2pix and DeblurGAN; a photo is still restored"
            " the same each time"
        ),
    )
    test_time_statistics: Literal["running", "photo"] = Field(
        "running",
        description=(
            "what batch normalisation uses when restoring: the training's running means, or the photo's own"
            " (the official pix2pix)"
        ),
    )

    test_time_ensemble: bool = Field(
        False,
        description=(
            "restore each photo turned and mirrored in all eight ways and take the mean (Lim et al. 2017,"
            " sec. 3.4): eight times the time"
        ),
    )

    test_time_tiles: Literal["whole_photo", "per_tile"] = Field(
        "whole_photo",
        description=(
            "what layers that look over the whole photo (instance norm, batch norm by the photo's statistics,"
            " attention, channel attention, global context) see of a photo larger than a tile: whole_photo,"
            " so that tiles are what the whole would be, at one more pass over the photo for each such layer;"
            " or per_tile, one pass and another picture"
        ),
    )

    @property
    def looks_over_photo(self) -> bool:
        """Whether some layer's answer depends on the whole photo when restoring."""
        return isinstance(self.norm, Instance) or self.test_time_statistics == "photo"

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return 1

    @property
    def smallest_px(self) -> int:
        """Least height and width of the input, in px."""
        return self.stride

    @property
    def scale(self) -> int:
        """Side of the output over side of the input."""
        return 1

    @property
    def window(self) -> int:
        """Neighbouring frames that it is given, an odd number; the middle one is restored. 1: photos."""
        return 1

    @property
    def aligns(self) -> bool:
        """Whether it moves the frames of its window onto each other, which a loss may look at."""
        return False

    @property
    def dropout_anywhere(self) -> float:
        """Probability of the dropout layers it builds, 0 when it builds none."""
        return 0.0

    def build(self, seed: int) -> nn.Module:
        """The net with its first weights, drawn from (seed, "generator"); works on torch's meta
        device too.

        Takes (N, 3 · window, H, W) in [-1, 1], frames in the order of time, gives (N, 3, scale · H,
        scale · W) in about [-1, 1].
        """
        raise AssertionError(f"{type(self).__name__} must build its net")

    @model_validator(mode="after")
    def _test_time_means_something(self) -> Self:
        if self.test_time_dropout and self.dropout_anywhere == 0:
            raise ValueError(
                "test_time_dropout is on, yet this generator has no dropout: set dropout above 0 where the"
                " kind has it, or leave test_time_dropout out"
            )
        if self.test_time_tiles == "per_tile" and not self.looks_over_photo:
            raise ValueError(
                "test_time_tiles: per_tile is for a generator that looks over the whole photo, and no layer"
                " of this one does: its tiles are exact in one pass, leave test_time_tiles out"
            )
        if self.test_time_statistics == "photo" and not isinstance(self.norm, Batch):
            raise ValueError(
                f"test_time_statistics: photo is for batch normalisation, and norm is {self.norm.kind}: set"
                " norm to batch, or leave test_time_statistics out"
            )
        return self
