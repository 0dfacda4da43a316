"""What the camera does after the blur: noise where the light falls, then a stored picture, then JPEG. Every step can be off.

Order: linear light → blur → noise → clip → sRGB, 8 bits → JPEG. A step is a part with its ranges and `draw`, a field of
`Camera`, and a field of `Shot` that holds what was drawn.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.effect import Floats
from components.optics.noise import normal_field

if TYPE_CHECKING:
    from components.core.images import Bytes8

Variance = Annotated[float, Field(gt=0, le=0.1)]
Quality = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True)
class NoiseLevel:
    """Sensor noise of one pair: variance shot · light + read, with light in [0, 1]."""

    shot: float
    read: float

    def added(self, light: Floats, normals: Floats) -> Floats:
        """Light with noise, not clipped; any shape. normals: standard normal numbers of the same shape."""
        spread = np.multiply(light, np.float32(self.shot))
        # A Fourier transform leaves a little negative light next to black.
        np.maximum(spread, np.float32(0), out=spread)
        spread += np.float32(self.read)
        np.sqrt(spread, out=spread)
        spread *= normals
        spread += light
        return spread


class PoissonGaussian(Part):
    """Sensor noise (Foi et al. 2008, eq. 3), its two parameters drawn log-uniform for each pair.

    The counting part is taken as normal, as is usual above some ten photons.
    """

    shot: tuple[Variance, Variance] = Field((2e-5, 5e-4), description="range of the variance per unit of light: one over the photons at full white")
    read: tuple[Variance, Variance] = Field((1e-6, 2e-5), description="range of the variance in the dark")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _smaller_first("shot", self.shot)
        _smaller_first("read", self.read)
        return self

    def draw(self, rng: np.random.Generator) -> NoiseLevel:
        """One pair's noise level."""
        return NoiseLevel(_log_uniform(rng, *self.shot), _log_uniform(rng, *self.read))


class Jpeg(Part):
    """What is lost when the camera writes JPEG (4:2:0)."""

    quality: tuple[Quality, Quality] = Field((75, 98), description="range, both ends included; one is drawn per pair")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _smaller_first("quality", self.quality)
        return self

    def draw(self, rng: np.random.Generator) -> int:
        """One pair's quality."""
        return int(rng.integers(self.quality[0], self.quality[1], endpoint=True))


@dataclass(frozen=True)
class Shot:
    """One pair's way from blurred light to a stored picture, all drawn."""

    seed: int
    linear_light: bool
    noise: NoiseLevel | None
    jpeg_quality: int | None

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        return {
            "linear_light": self.linear_light,
            "noise": None if self.noise is None else asdict(self.noise),
            "jpeg_quality": self.jpeg_quality,
        }

    def picture(self, light: Floats) -> Bytes8:
        """(H, W, 3) uint8 sRGB from (H, W) or (H, W, 3) light."""
        # The picture codecs take a tenth of a second to import; settings alone must not wait for them.
        from components.core.images import jpeg_roundtrip
        from components.optics.light import stored

        if self.noise is not None:
            normals = normal_field(self.seed, *light.shape[:2], channels=light.shape[2] if light.ndim == 3 else 1)
            light = self.noise.added(light, normals.reshape(light.shape))
        pixels = stored(light, linear=self.linear_light)
        return pixels if self.jpeg_quality is None else jpeg_roundtrip(pixels, self.jpeg_quality)


class Camera(Part):
    """From light to a stored picture; null turns a step off."""

    linear_light: bool = Field(True, description="blur and noise in linear light; false works on sRGB values, as older code does (for comparison)")
    noise: PoissonGaussian | None = Field(default_factory=PoissonGaussian, description="sensor noise")
    jpeg: Jpeg | None = Field(default_factory=Jpeg, description="JPEG compression of the blurred picture")

    def shot(self, seed: int) -> Shot:
        """Draw one pair's steps, each from its own stream: turning one off changes no other."""
        return Shot(
            seed,
            self.linear_light,
            None if self.noise is None else self.noise.draw(seeds.stream(seed, "noise level")),
            None if self.jpeg is None else self.jpeg.draw(seeds.stream(seed, "jpeg quality")),
        )


def _smaller_first(name: str, ends: tuple[float, float]) -> None:
    if ends[0] > ends[1]:
        raise ValueError(f"{name} is [{ends[0]:g}, {ends[1]:g}]: the smaller value comes first")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
