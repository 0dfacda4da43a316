"""What is changed about a pair before training sees it."""

from __future__ import annotations

import math

from pydantic import Field

from components.core.parts import Part


class Augment(Part):
    """Changes made to input and target alike, drawn per image and position in training, never per
    worker.
    """

    enlarge: float = Field(
        1.0,
        ge=1,
        le=4,
        description=(
            "both pictures are enlarged by this before the crop: pix2pix's jitter is 286/256. It changes the"
            " blur's size"
        ),
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability of a left-right flip")
    flip_vertical: float = Field(0.0, ge=0, le=1, description="probability of an upside-down flip")
    quarter_turns: float = Field(
        0.0, ge=0, le=1, description="probability of a turn by 0, 90, 180 or 270 degrees, each as likely"
    )
    swap_channels: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "probability of red, green and blue in one of their six orders: few photos show few colours"
        ),
    )
    reverse_time: float = Field(
        0.0,
        ge=0,
        le=1,
        description="probability that a window of frames runs backwards; for generators of video alone",
    )
    brightness: float = Field(
        0.0, ge=0, le=0.9, description="largest change of brightness, share of the range"
    )
    contrast: float = Field(0.0, ge=0, le=0.9, description="largest change of contrast, share of the range")

    def smallest_px(self, crop_px: int) -> int:
        """The shortest side that holds a crop once it is enlarged."""
        return math.ceil(crop_px / self.enlarge)
