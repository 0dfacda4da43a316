"""What all kinds of downscale have in common: a whole factor, and something drawn from a pair's
seed that makes a photo so much smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field, JsonValue

from components.core.parts import Part

if TYPE_CHECKING:
    from components.core.images import Bytes8, Floats, Pixels

SMALLEST_PX = 16  # of the small photo's shorter side


class Shrinking(Protocol):
    """One drawn downscale, ready for a photo of any size."""

    @property
    def scale(self) -> int:
        """Size of the photo over that of the small one."""
        ...

    @property
    def pair_kind(self) -> str:
        """The pair's `blur_kind` where no blur comes before."""
        ...

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        ...

    @property
    def reach(self) -> int | None:
        """How far a pixel of the small photo looks, in px of the small photo; None: no part of a
        photo is that of the whole photo.
        """
        ...

    @property
    def severity_px(self) -> float:
        """Blur that the smaller size alone does not explain: RMS radius in px of the sharp photo; 0
        where there is none.
        """
        ...

    def apply(self, light: Floats, *, linear: bool = True) -> Floats:
        """(H, W) or (H, W, C) with H and W multiples of the scale, to 1/scale of it each way; not
        clipped.

        linear: the values are linear light, not sRGB.
        """
        ...


class DownscalePart(Part):
    """Shrink by a whole factor, after the blur and before the camera."""

    scale: int = Field(
        4,
        ge=2,
        le=8,
        description=(
            "sharp size over small size, each side; sharp photos are cut to a multiple of it at their right"
            " and bottom"
        ),
    )
    random: ClassVar[bool]  # whether two pairs of one photo differ
    has_camera: ClassVar[
        bool
    ]  # whether it brings noise and compression of its own, so that a camera has nothing to add

    @property
    def words(self) -> str:
        """What it does besides making smaller, in a few words."""
        raise NotImplementedError

    @property
    def reach(self) -> int | None:
        """That of everything it draws: see `Shrinking`."""
        raise NotImplementedError

    def draw(self, seed: int) -> Shrinking:
        """One pair's downscale, from the pair's seed alone."""
        raise NotImplementedError

    def cut(self, picture: Pixels) -> Pixels:
        """The part of a (H, W, ...) picture, from its top left, whose sides are multiples of the
        scale (the field's modcrop).
        """
        height, width = (side // self.scale * self.scale for side in picture.shape[:2])
        return picture[:height, :width]

    def train_target(self, pixels: Bytes8) -> Bytes8:
        """What a training pair starts from and aims at, (H, W, 3) uint8 sRGB: the sharp photo
        itself, unless a kind says otherwise.
        """
        return pixels
