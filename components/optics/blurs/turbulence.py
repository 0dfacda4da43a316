"""Turbulent air between scene and lens: the photo wavers and blurs, differently from place to
place.

Short exposure, seen through one layer of air (phase_screen.py): every point of the scene is moved
by the tilt of its piece of the layer, then blurred by the rest of it, in this order (Chan 2022,
"Tilt-then-blur or blur-then-tilt?"). Kernels are made on a grid half a lens apart and mixed in
between (as in Hardie et al. 2017, "Simulation of anisoplanatic imaging through optical
turbulence"). Chimitt & Chan 2020 draw the same statistics as Zernike coefficients; one layer gives
all of them at once, and their correlations with each other and over the photo.
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
from components.optics.blurs.drawn_blur import Effect, Floats, Kernel
from components.optics.blurs.ranges import between, in_order

if TYPE_CHECKING:
    from components.optics.blurs.phase_screen import Layer

Strength = Annotated[float, Field(ge=0, le=10)]
Diffraction = Annotated[float, Field(ge=0.3, le=4)]
Lens = Annotated[float, Field(ge=32, le=4096)]

KNOTS_PER_LENS = 2  # kernels made per lens diameter and direction
# speckles (λ/D) beyond the spread of the turbulence, which is about one for each D/r₀: holds 95 to
# 98 % of the light
REACH = 3.0


@dataclass(frozen=True)
class ThroughAir:
    """One drawn piece of turbulent air, its middle before the photo's."""

    seed: int
    strength: float
    diffraction_px: float
    lens_px: float

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, the seed of the air among them."""
        return {
            "strength": self.strength,
            "diffraction_px": self.diffraction_px,
            "lens_px": self.lens_px,
            "air_seed": self.seed,
        }

    @property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes, put back where it was: `apply` moves
        it as the air does.
        """
        psf: Floats = self._kernels(np.zeros(1, np.intp), np.zeros(1, np.intp))[0, 0]
        return psf

    @cached_property
    def severity_px(self) -> float:
        """RMS radius of the kernels at 16 places of the layer (root of the mean square), without
        what moves the photo.
        """
        from components.optics.blurs.phase_screen import PERIOD

        knots = np.arange(0, PERIOD * KNOTS_PER_LENS, PERIOD * KNOTS_PER_LENS // 4)
        return float(
            np.sqrt(
                np.mean(
                    [Kernel(kernel).severity_px ** 2 for row in self._kernels(knots, knots) for kernel in row]
                )
            )
        )

    def tilt_px(self, height: int, width: int) -> Floats:
        """How far each point of a photo is moved, right and down: (height, width, 2) px, mean 0, so
        that the photo as a whole stays.
        """
        import cv2

        from components.optics.blurs.phase_screen import SAMPLES

        pitch = self.lens_px / SAMPLES
        # As much of the layer as covers the photo, the sample in its middle before the photo's.
        down, across = (
            np.arange(-reach, reach + 1)
            for reach in (math.ceil(side / 2 / pitch) + 1 for side in (height, width))
        )
        slopes = self._air.slopes[:, down[:, None] % self._air.side, across % self._air.side]
        samples = np.ascontiguousarray(slopes.transpose(1, 2, 0) * np.float32(self.diffraction_px))
        place = np.array(
            [
                [1 / pitch, 0.0, across[-1] - (width - 1) / 2 / pitch],
                [0.0, 1 / pitch, down[-1] - (height - 1) / 2 / pitch],
            ]
        )
        tilt = cv2.warpAffine(samples, place, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(cv2.subtract(tilt, cv2.mean(tilt)), dtype=np.float32)

    def apply(self, light: Floats) -> Floats:
        """Move, then blur (H, W) or (H, W, C) light; borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        import cv2

        from components.optics.blurs.filter_flow import convolved_by_place

        height, width = light.shape[:2]
        came_from = -self.tilt_px(height, width)
        came_from[:, :, 0] += np.arange(width, dtype=np.float32)
        came_from[:, :, 1] += np.arange(height, dtype=np.float32)[:, None]
        moved = np.asarray(
            cv2.remap(light, came_from, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101),
            dtype=np.float32,
        )
        pitch = self.lens_px / KNOTS_PER_LENS
        rows, columns = (
            np.arange(-reach, reach + 1)
            for reach in (math.ceil((side - 1) / 2 / pitch) for side in (height, width))
        )
        kernels = self._kernels(rows, columns)
        return convolved_by_place(
            moved.reshape(light.shape),
            rows * pitch + (height - 1) / 2,
            columns * pitch + (width - 1) / 2,
            kernels,
        )

    @cached_property
    def _air(self) -> Layer:
        from components.optics.blurs.phase_screen import layer

        return layer(np.random.Generator(np.random.PCG64(self.seed)), self.strength)

    def _kernels(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
        """Kernels at knots of the grid, counted from the photo's centre: (rows, columns, side,
        side).
        """
        from components.optics.blurs.phase_screen import PERIOD, SAMPLES, psfs

        # The layer repeats, so that a large photo needs no more kernels than one period has.
        period = PERIOD * KNOTS_PER_LENS
        own_rows, own_columns = np.unique(rows % period), np.unique(columns % period)
        places = np.stack(np.meshgrid(own_rows, own_columns, indexing="ij"), axis=-1).reshape(-1, 2) * (
            SAMPLES // KNOTS_PER_LENS
        )
        side = side_px(self.strength, self.diffraction_px)
        found = psfs(self._air, places, self.diffraction_px, side).reshape(
            len(own_rows), len(own_columns), side, side
        )
        return found[
            np.searchsorted(own_rows, rows % period)[:, None],
            np.searchsorted(own_columns, columns % period)[None, :],
        ]


class Turbulence(Part):
    """Atmospheric turbulence in a short exposure, as seen by a satellite or over a long range
    (Kolmogorov's spectrum: Noll 1976; Chan 2022).
    """

    kind: Literal["turbulence"] = "turbulence"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    strength: tuple[Strength, Strength] = Field(
        (1.0, 5.0), description="range of D/r₀, the lens's diameter over the Fried parameter; 0 is still air"
    )
    diffraction_px: tuple[Diffraction, Diffraction] = Field(
        (0.5, 1.0),
        description=(
            "range of λ/D on the sensor, the width of the sharpest point: wavelength × f-number over pixel"
            " size"
        ),
    )
    lens_px: tuple[Lens, Lens] = Field(
        (96.0, 256.0),
        description=(
            "range of the lens's width on the layer of air, in px of the photo: points this far apart look"
            " through different air"
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(strength=self.strength, diffraction_px=self.diffraction_px, lens_px=self.lens_px)
        return self

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        return side_px(self.strength[1], self.diffraction_px[1])

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return [self._through_air(rng) for rng in rngs]

    def _through_air(self, rng: np.random.Generator) -> ThroughAir:
        u = rng.random(3)
        strength, diffraction, lens = (
            between(self.strength, u[0]),
            between(self.diffraction_px, u[1]),
            between(self.lens_px, u[2]),
        )
        return ThroughAir(int(rng.integers(2**53)), strength, diffraction, lens)


def side_px(strength: float, diffraction_px: float) -> int:
    """Side of the kernels of air of this strength.

    >>> side_px(3.0, 1.0)
    13
    """
    return 2 * math.ceil(diffraction_px * (REACH + strength)) + 1
