"""Paired translation: one kind of picture in, another out, both found in the photo itself. No blur
and no camera come between.

A kind is a class with `kind`, `baseline`, `size` (of the target), `refusal` (why a photo cannot be
used) and `parted` (input and target of a decoded picture). To add one, write the class and add its
name to `Translate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    from components.core.images import Picture
    from components.core.records import Photo

TranslationBaseline = Annotated[
    Literal["input", "mean_colour"],
    Field(
        description=(
            "what a result is measured against: the input as it is, or the mean colour of the training"
            " targets everywhere"
        )
    ),
]
SMALLEST_PX = 16


class SideBySide(Part):
    """A photo that holds a pair: input and target side by side, as pix2pix's data sets come (Isola
    et al. 2017).

    CMP facades: the photo at the left, its label map at the right; pix2pix's task there is label to
    photo, so input: right.
    """

    kind: Literal["side_by_side"] = "side_by_side"
    input: Literal["left", "right"] = Field(
        "left", description="the half that is given; the other one is the target"
    )
    baseline: TranslationBaseline = "mean_colour"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of input and target, from those of the photo, px."""
        return width // 2, height

    def refusal(self, photo: Photo) -> str | None:
        """Why this photo cannot be used; None when it can."""
        return "its width is odd, so it has no two halves" if photo.width % 2 else None

    def parted(self, picture: Picture) -> tuple[Picture, Picture]:
        """Input and target, each half as wide."""
        middle = picture.pixels.shape[1] // 2
        left, right = (
            replace(picture, pixels=np.ascontiguousarray(half))
            for half in (picture.pixels[:, :middle], picture.pixels[:, middle:])
        )
        return (left, right) if self.input == "left" else (right, left)


class ToColour(Part):
    """Grey to colour: the input is the photo's luma (ITU-R BT.601 of the sRGB values, as Pillow's
    mode L), the target the photo.
    """

    kind: Literal["to_colour"] = "to_colour"
    baseline: TranslationBaseline = "input"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of input and target, px: those of the photo."""
        return width, height

    def refusal(self, photo: Photo) -> str | None:
        """Why this photo cannot be used; None when it can."""
        return "it is grey, so there is no colour to learn" if photo.channels == 1 else None

    def parted(self, picture: Picture) -> tuple[Picture, Picture]:
        """The photo's luma, three times over, and the photo."""
        return replace(picture, pixels=np.repeat(luma(picture.pixels)[:, :, None], 3, axis=2)), picture


def luma(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(H, W, 3) uint8 or uint16 sRGB to (H, W) luma of the same type: 0.299 R + 0.587 G + 0.114 B,
    in whole numbers, rounded.

    >>> luma(np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8)).tolist()
    [[76, 255]]
    """
    red, green, blue = (pixels[:, :, channel].astype(np.uint64) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16).astype(pixels.dtype)


Translate = Annotated[SideBySide | ToColour, Field(discriminator="kind")]
