"""A lens out of focus: bokeh discs and polygons, everywhere the same, along a sloping plane, by a
depth map, or with cat's eyes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.aperture import Aperture
from components.optics.blurs.depth_map_defocus import Unfocused
from components.optics.blurs.drawn_blur import Effect, Floats, Kernel
from components.optics.blurs.ranges import between, in_order

if TYPE_CHECKING:
    from components.core.records import MapKind

Radius = Annotated[float, Field(ge=0, le=100)]
Cut = Annotated[float, Field(ge=0, le=1.5)]
Share = Annotated[float, Field(ge=0, le=1)]
Blades = Annotated[int, Field(ge=0, le=20)]

ALL_DEPTHS = (0.0, 1.0)
KNOTS = 7  # places along each side of a photo where cat's eyes are drawn; an odd number has one in the middle


@dataclass(frozen=True)
class Plane:
    """Defocus of a flat surface: the radius changes linearly over the photo (depth.py says why)."""

    aperture: Aperture
    radius_px: float  # at the photo's centre
    slope_px: tuple[
        float, float
    ]  # change of the radius from the centre to the right edge and to the bottom edge
    cat_eye: float  # shift of the lens's rim as seen from a corner of the photo, in radii
    drawn: dict[str, JsonValue]

    @property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes."""
        return self.aperture.kernel(self.radius_px)

    @cached_property
    def severity_px(self) -> float:
        """RMS radius over the photo: the root of the mean square at KNOTS × KNOTS places (of a
        square one, for cat's eyes).
        """
        places = 2 * (np.arange(KNOTS) + 0.5) / KNOTS - 1
        if self.cat_eye:
            return float(
                np.sqrt(
                    np.mean(
                        [
                            [Kernel(kernel).severity_px ** 2 for kernel in row]
                            for row in self._kernels(places, 1.0)
                        ]
                    )
                )
            )
        from components.optics.blurs import depth

        return depth.severity_px(self._radius(places[:, None], places[None, :]), self.aperture)

    def apply(self, light: Floats) -> Floats:
        """Blur (H, W) or (H, W, C) light; borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.optics.blurs import depth, filter_flow

        height, width = light.shape[:2]
        if self.cat_eye:
            rows, columns = np.linspace(0, height - 1, KNOTS), np.linspace(0, width - 1, KNOTS)
            return filter_flow.convolved_by_place(
                light, rows, columns, _stacked(self._kernels(np.linspace(-1, 1, KNOTS), height / width))
            )
        radius = self._radius(np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :])
        return depth.apply_with_depth(light, radius.astype(np.float32), self.aperture)

    def _radius(self, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Radius at places given from −1 to 1 from edge to edge."""
        return self.radius_px + self.slope_px[0] * x + self.slope_px[1] * y

    def _kernels(self, places: npt.NDArray[np.float64], height_over_width: float) -> list[list[Floats]]:
        """Kernels at places of a square grid, from −1 to 1 from edge to edge; the rim is shifted
        towards or away from the photo's centre.
        """
        corner = math.hypot(1, height_over_width)
        return [
            [
                self.aperture.kernel(
                    float(self._radius(np.asarray(y), np.asarray(x))),
                    (
                        float(-self.cat_eye * x / corner),
                        float(-self.cat_eye * y * height_over_width / corner),
                    ),
                )
                for x in places
            ]
            for y in places
        ]


class Defocus(Part):
    """A lens out of focus (geometric optics: Potmesil & Chakravarty 1981; Goodman, "Introduction to
    Fourier Optics", section 6.4).
    """

    kind: Literal["defocus"] = "defocus"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    radius_px: tuple[Radius, Radius] = Field(
        (1.0, 8.0),
        description=(
            "range of the disc's radius at the photo's centre, by a depth map that of the farthest out of"
            " focus; polygons have its area. RMS: over √2"
        ),
    )
    blades: tuple[Blades, ...] = Field(
        (0, 5, 6, 7, 8, 9),
        min_length=1,
        description=(
            "blades of the aperture, turned by any angle; 0 is round, else 3 to 20. One is drawn per pair"
        ),
    )
    plane_px: tuple[Radius, Radius] = Field(
        (0.0, 0.0),
        description=(
            "range of the radius's change from the centre to the farthest corner, as over a sloping surface;"
            " [0, 0]: even"
        ),
    )
    cat_eye: tuple[Cut, Cut] = Field(
        (0.0, 0.0),
        description=(
            "range of the shift of the lens's rim seen from the corners, in radii: 0 leaves discs whole, 1"
            " leaves two fifths of them"
        ),
    )
    # Not written where they are the usual ones, so that settings and sets keep their digest.
    depth: Literal["drawn", "given"] = Field(
        "drawn",
        exclude_if=lambda depth: depth == "drawn",
        description="given: by the photo's own depth map, NAME.depth.png beside it, instead of plane_px",
    )
    focus: tuple[Share, Share] = Field(
        ALL_DEPTHS,
        exclude_if=lambda focus: focus == ALL_DEPTHS,
        description="by a depth map: range of the share of the photo nearer than what is sharp",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(radius_px=self.radius_px, plane_px=self.plane_px, cat_eye=self.cat_eye, focus=self.focus)
        for name in ("plane_px", "cat_eye") if self.depth == "given" else ():
            if getattr(self, name) != (0.0, 0.0):
                raise ValueError(
                    f"depth is given, and a depth map leaves no room for {name}: leave {name} out, or set"
                    " depth to drawn"
                )
        if self.depth == "drawn" and self.focus != ALL_DEPTHS:
            raise ValueError(
                "focus picks what is sharp from a depth map: set depth to given, or leave focus out"
            )
        for blades in self.blades:
            if 0 < blades < 3:
                raise ValueError(
                    f"blades has {blades}, which close no opening: use 0 for a round one, or 3 to 20"
                )
        return self

    @property
    def map_kind(self) -> MapKind | None:
        """The map of a photo that it takes."""
        return "depth" if self.depth == "given" else None

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        reach = max(Aperture(blades).reach for blades in self.blades)
        # One more: a small polygon is moved by less than a pixel to sit on the middle of one.
        return 2 * (math.ceil((self.radius_px[1] + self.plane_px[1]) * reach) + 1) + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return [self._effect(rng) for rng in rngs]

    def _effect(self, rng: np.random.Generator) -> Effect:
        u = rng.random(6)
        radius, plane, cat_eye = (
            between(self.radius_px, u[0]),
            between(self.plane_px, u[1]),
            between(self.cat_eye, u[2]),
        )
        blades = self.blades[int(u[3] * len(self.blades))]
        turned, towards = 2 * math.pi * u[4] / blades if blades else 0.0, 2 * math.pi * u[5]
        drawn: dict[str, JsonValue] = {
            "radius_px": radius,
            "blades": blades,
            "rotation_deg": math.degrees(turned),
        }
        aperture = Aperture(blades, turned)
        if self.depth == "given":
            focus = between(self.focus, u[1])
            return Unfocused(
                aperture.kernel(radius),
                drawn | {"focus": focus},
                aperture=aperture,
                radius_px=radius,
                focus=focus,
            )
        if not (plane or cat_eye):
            return Kernel(aperture.kernel(radius), drawn)
        right, down = math.cos(towards), math.sin(towards)
        steepness = plane / (abs(right) + abs(down))
        drawn |= {"plane_px": plane, "plane_towards_deg": math.degrees(towards), "cat_eye": cat_eye}
        return Plane(aperture, radius, (steepness * right, steepness * down), cat_eye, drawn)


def _stacked(kernels: list[list[Floats]]) -> Floats:
    """Kernels of many sizes as one array: (rows, columns, side, side)."""
    side = max(kernel.shape[0] for row in kernels for kernel in row)
    return np.array([[np.pad(kernel, (side - kernel.shape[0]) // 2) for kernel in row] for row in kernels])
