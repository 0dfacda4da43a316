"""The sensor and what makes a picture of it: camera colours, white balance, Bayer mosaic,
demosaicing. Each can be off.

Linear sRGB → camera colours → divided by the white balance → mosaic → noise → clip → white balance
→ clip → demosaic → linear sRGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.ranges import in_order
from components.optics.camera_colours import CAMERAS, CameraName, to_camera

Gain = Annotated[float, Field(ge=1, le=8)]
Demosaic = Literal["malvar", "bilinear"]
REACH_PX: dict[Demosaic, int] = {"malvar": 2, "bilinear": 1}
# Where red lies in each 2 × 2 pixels of a photo: row and column, by the letters of the four from
# the top left.
RED_SITES = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}


class CameraColours(Part):
    """Colours as a camera's filters part them: a random mean of real cameras' matrices, with shares
    that add up to 1 (Brooks et al. 2019).
    """

    cameras: tuple[CameraName, ...] = Field(
        CAMERAS,
        min_length=1,
        description="cameras of which each pair's matrix is a mean; one alone is used as it is",
    )

    def draw(self, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
        """One pair's shares, uniform among all that add up to 1."""
        return tuple(zip(self.cameras, rng.dirichlet(np.ones(len(self.cameras))).tolist(), strict=True))


class WhiteBalance(Part):
    """A sensor sees red and blue weaker than green; the camera makes up for it, and for its noise
    too (ranges of Rim et al. 2022).
    """

    red: tuple[Gain, Gain] = Field((1.9, 2.4), description="range of the factor on red, green having 1")
    blue: tuple[Gain, Gain] = Field((1.5, 1.9), description="range of the factor on blue")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(red=self.red, blue=self.blue)
        return self

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """One pair's factors on red, green and blue."""
        red, blue = rng.uniform(*self.red), rng.uniform(*self.blue)
        return float(red), 1.0, float(blue)


class Bayer(Part):
    """One colour a pixel, as under a Bayer filter, its phase one of four, and the two others from
    the neighbours.
    """

    demosaic: Demosaic = Field(
        "malvar",
        description=(
            "malvar: linear 5×5 (Malvar, He & Cutler 2004); bilinear: the mean of the nearest, blurrier"
        ),
    )

    def draw(self, rng: np.random.Generator) -> str:
        """One pair's pattern of the four pixels at the photo's top left."""
        return list(RED_SITES)[int(rng.integers(len(RED_SITES)))]


@dataclass(frozen=True)
class SensorShot:
    """One pair's sensor, all drawn."""

    cameras: tuple[tuple[str, float], ...] | None  # names, each with the share of its matrix
    gains: tuple[float, float, float]  # white balance: factors on red, green and blue
    pattern: (
        str | None
    )  # the photo's four pixels from its top left: RGGB, GRBG, GBRG or BGGR; None: all colours at every pixel
    demosaic: Demosaic = "malvar"

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        cameras: JsonValue = None if self.cameras is None else {**dict(self.cameras)}
        return {
            "cameras": cameras,
            "gains": list(self.gains),
            "pattern": self.pattern,
            "demosaic": None if self.pattern is None else self.demosaic,
        }

    @property
    def reach_px(self) -> int:
        """How far a pixel's result looks."""
        return 0 if self.pattern is None else REACH_PX[self.demosaic]

    @cached_property
    def to_raw(self) -> Floats:
        """(3, 3): linear sRGB to camera colours before white balance; white becomes one over the
        gains.
        """
        return np.asarray(self._to_camera / np.array(self.gains)[:, None], np.float32)

    @cached_property
    def to_srgb(self) -> Floats:
        """(3, 3): white-balanced camera colours to linear sRGB; white stays white."""
        return np.asarray(np.linalg.inv(self._to_camera), np.float32)

    @property
    def _to_camera(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.eye(3) if self.cameras is None else to_camera(dict(self.cameras))

    def red_site(self, top: int = 0, left: int = 0) -> tuple[int, int]:
        """Row and column, 0 or 1, of the first red pixel in a part of the photo that begins at
        (top, left). There is a pattern.
        """
        assert self.pattern is not None, "a sensor without a pattern has every colour everywhere"
        row, column = RED_SITES[self.pattern]
        return (row - top) % 2, (column - left) % 2


class Sensor(Part):
    """The sensor's colour filters, around the noise, and what the camera does to undo them.

    null turns a step off. A grey photo comes from a grey sensor, which has none of them.
    """

    colours: CameraColours | None = Field(
        default_factory=CameraColours, description="colour matrix to the camera's own colours, and back"
    )
    white_balance: WhiteBalance | None = Field(
        default_factory=WhiteBalance,
        description="weaker red and blue on the sensor, made up for after the noise",
    )
    bayer: Bayer | None = Field(
        default_factory=Bayer, description="mosaic and demosaicing; null leaves every pixel all three colours"
    )

    def draw(self, seed: int) -> SensorShot:
        """One pair's sensor, each step from its own stream."""
        return SensorShot(
            None if self.colours is None else self.colours.draw(seeds.stream(seed, "camera colours")),
            (
                (1.0, 1.0, 1.0)
                if self.white_balance is None
                else self.white_balance.draw(seeds.stream(seed, "white balance"))
            ),
            None if self.bayer is None else self.bayer.draw(seeds.stream(seed, "bayer pattern")),
            "malvar" if self.bayer is None else self.bayer.demosaic,
        )
