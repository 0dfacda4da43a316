"""What is lost when a camera or a web site stores a photo: JPEG and WebP, each as it is written and
read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from components.core.parts import Part
from components.optics.blurs.ranges import in_order

if TYPE_CHECKING:
    from components.core.images import Bytes8

Quality = Annotated[int, Field(ge=1, le=100)]
GRID_PX = 16  # a block of both codecs, with its halved colour
LARGEST_PX = {"jpeg": 65_500, "webp": 16_383}  # longer sides cannot be written (libjpeg; VP8's 14 bits)


class _Codec(Part):
    """A codec with a range of qualities."""

    quality: tuple[Quality, Quality] = Field(
        (75, 98), description="range, both ends included; one is drawn per pair"
    )
    weight: float = Field(
        1.0, gt=0, description="how often it is drawn, beside the other codec; alone it is always"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(quality=self.quality)
        return self

    def draw(self, rng: np.random.Generator) -> int:
        """One pair's quality."""
        return int(rng.integers(self.quality[0], self.quality[1], endpoint=True))


class Jpeg(_Codec):
    """What is lost when the camera writes JPEG (4:2:0)."""


class WebP(_Codec):
    """What is lost when a web site writes WebP (lossy, VP8, 4:2:0)."""


def on_grid(roundtrip: Callable[[Bytes8], Bytes8], pixels: Bytes8, top: int, left: int) -> Bytes8:
    """Compress a part of a photo, (h, w, 3) uint8 that begins at (top, left), in the blocks that
    the whole photo has.

    A block of which the part has all pixels, and whose neighbours it has, comes out of JPEG as in
    the whole photo.
    """
    down, right = top % GRID_PX, left % GRID_PX
    if not down and not right:
        return roundtrip(pixels)
    return roundtrip(np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge"))[down:, right:]
