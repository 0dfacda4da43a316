"""Something moves through the picture while the camera stays or pans: two blurs, and an outline
between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Floats, Kernel, Map
from components.optics.blurs.outline import Mask, Outline, Shape, drawn_outline
from components.optics.blurs.ranges import between, in_order

if TYPE_CHECKING:
    from components.core.records import MapKind

Doubles = npt.NDArray[np.float64]
Length = Annotated[float, Field(ge=0, le=500)]
Share = Annotated[float, Field(gt=0, le=0.8)]

MOMENTS_PER_PX = 4  # of a path's kernel; even, so that a straight path of whole pixels leaves exactly its box


@dataclass(frozen=True)
class Moved:
    """One drawn motion: the outline of what moves, its path and the background's, in px from where
    the sharp photo shows them.
    """

    outline: Outline | Mask
    foreground_px: Doubles  # (n, 2) at n even moments, mean 0
    background_px: Doubles
    drawn: dict[str, JsonValue]

    @cached_property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre, which is always within a drawn outline,
        becomes: (h, w) float32, both odd, summing to 1.
        """
        from components.optics.blurs.compositing import kernel_of

        return self._object_psf if self.outline.around_middle else kernel_of(self.background_px)

    @cached_property
    def severity_px(self) -> float:
        """RMS radius of the object's own blur in px."""
        return Kernel(self._object_psf).severity_px

    @cached_property
    def _object_psf(self) -> Floats:
        from components.optics.blurs.compositing import kernel_of

        return kernel_of(self.foreground_px)

    def with_map(self, brought: Map) -> Moved:
        """The same motions, of what a photo's own mask shows."""
        known = {name: value for name, value in self.drawn.items() if name != "shape"}
        return replace(
            self,
            outline=Mask(brought.values),
            drawn={**known, "share": float(brought.values.mean(dtype=np.float64)), "mask": brought.words},
        )

    def apply(self, light: Floats) -> Floats:
        """Move object and background, and gather their light; borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.optics.blurs.compositing import composited

        return composited(light, self.outline.matte(*light.shape[:2]), self.foreground_px, self.background_px)


class ObjectMotion(Part):
    """An object moving before a background that moves otherwise (compositing: Porter and Duff 1984,
    "Compositing digital images").

    The object is what the photo shows within a drawn outline around its middle; the background
    beneath it is mirrored from around it. Its main strength is `object_px`. With `mask: given` the
    object is what the photo's own mask shows.
    """

    kind: Literal["object_motion"] = "object_motion"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    object_px: tuple[Length, Length] = Field(
        (8.0, 40.0), description="range of the way the object goes during the exposure"
    )
    background_px: tuple[Length, Length] = Field(
        (0.0, 8.0), description="range of the way the background goes, in a direction of its own"
    )
    bend: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="most that a path's middle is off the line between its ends, in parts of its length",
    )
    share: tuple[Share, Share] = Field(
        (0.04, 0.35), description="range of the part of the photo that the object covers"
    )
    shapes: tuple[Shape, ...] = Field(
        ("blob", "polygon"), min_length=1, description="outlines; one is drawn per pair"
    )
    # Not written where it is the usual one, so that settings and sets keep their digest.
    mask: Literal["drawn", "given"] = Field(
        "drawn",
        exclude_if=lambda mask: mask == "drawn",
        description="given: the photo's own mask, NAME.mask.png beside it, instead of share and shapes",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(object_px=self.object_px, background_px=self.background_px, share=self.share)
        for name in ("share", "shapes") if self.mask == "given" else ():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"mask is given, and a photo's own mask leaves no room for {name}: leave {name} out, or"
                    " set mask to drawn"
                )
        return self

    @property
    def map_kind(self) -> MapKind | None:
        """The map of a photo that it takes."""
        return "mask" if self.mask == "given" else None

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        # The middle of a bent path is furthest from the line between its ends, but a third of the
        # bend from its own mean.
        longest = max(self.object_px[1], self.background_px[1])
        return 2 * math.ceil(longest * math.hypot(0.5, self.bend * 2 / 3)) + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One motion per generator."""
        return [self._moved(rng) for rng in rngs]

    def _moved(self, rng: np.random.Generator) -> Moved:
        u = rng.random(8)
        object_px, background_px, share = (
            between(self.object_px, u[0]),
            between(self.background_px, u[1]),
            between(self.share, u[2]),
        )
        angles, bends = 2 * math.pi * u[3:5], self.bend * (2 * u[5:7] - 1)
        shape = self.shapes[int(u[7] * len(self.shapes))]
        moments = MOMENTS_PER_PX * max(1, math.ceil(max(object_px, background_px)))
        drawn: dict[str, JsonValue] = {
            "object_px": object_px,
            "background_px": background_px,
            "object_angle_deg": float(math.degrees(angles[0])),
            "background_angle_deg": float(math.degrees(angles[1])),
            "object_bend": float(bends[0]),
            "background_bend": float(bends[1]),
            "share": share,
            "shape": shape,
        }
        foreground, background = (
            path_px(length, float(angle), float(bend), moments)
            for length, angle, bend in zip((object_px, background_px), angles, bends, strict=True)
        )
        return Moved(drawn_outline(rng, shape, share), foreground, background, drawn)


def path_px(length_px: float, angle_rad: float, bend: float, moments: int) -> Doubles:
    """A straight or evenly bent path around its own mean, at the middles of equal stretches of
    time.

    length_px: from end to end; angle_rad: from x towards y, which points down.
    bend: how far its middle is off the line between its ends, in parts of the length: a parabola,
    as of a thrown ball.
    Returns (moments, 2) px, x then y, mean 0.

    >>> path_px(4.0, 0.0, 0.0, 4).tolist()
    [[-1.5, 0.0], [-0.5, 0.0], [0.5, 0.0], [1.5, 0.0]]
    """
    time = (np.arange(moments) + 0.5) / moments - 0.5
    along, aside = length_px * time, length_px * bend * (1 - 4 * time**2)
    aside -= aside.mean()
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    return np.stack([along * cosine - aside * sine, along * sine + aside * cosine], axis=1)
