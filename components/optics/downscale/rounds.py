"""One round of second_order: a blur, a resize, noise and JPEG, with the ranges to draw from and
what is drawn.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.ranges import between, in_order
from components.optics.downscale.kernels import KernelDraw, RandomKernel, Share

Mode = Literal["area", "bilinear", "bicubic"]
MODES: tuple[Mode, ...] = ("area", "bilinear", "bicubic")
Factor = Annotated[float, Field(ge=0.05, le=4)]
Levels = Annotated[float, Field(ge=0, le=128)]
Strength = Annotated[float, Field(ge=0, le=20)]
Quality = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True)
class NoiseDraw:
    """One drawn noise: Gaussian of a standard deviation in levels of 255, or Poisson of a strength
    (1: as counted).
    """

    kind: Literal["gaussian", "poisson"]
    amount: float
    grey: bool  # the same in all channels


@dataclass(frozen=True)
class RoundDraw:
    """One round, all drawn."""

    kernel: KernelDraw | None
    factor: float
    mode: Mode
    noise: NoiseDraw
    jpeg_quality: int

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter."""
        return {**asdict(self), "kernel": None if self.kernel is None else self.kernel.drawn}


class Resize(Part):
    """Larger, smaller or left: how often each, relative to the others, and by what."""

    up: float = Field(0.2, ge=0)
    down: float = Field(0.7, ge=0)
    keep: float = Field(0.1, ge=0)
    factor: tuple[Factor, Factor] = Field(
        (0.15, 1.5),
        description="smallest when it is made smaller, largest when it is made larger; 1 lies between",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.factor[0] <= 1 <= self.factor[1]:
            raise ValueError(
                f"factor is [{self.factor[0]:g}, {self.factor[1]:g}]: it begins at or below 1 and ends at or"
                " above"
            )
        if self.up + self.down + self.keep == 0:
            raise ValueError("up, down and keep all have chance 0: give one of them more")
        return self

    def draw(self, rng: np.random.Generator) -> tuple[float, Mode]:
        """Factor on each side, and how pixels are weighed: area, bilinear or bicubic, each as
        likely.
        """
        u = rng.random(3)
        at = u[0] * (self.up + self.down + self.keep)
        ends = (
            (1.0, self.factor[1])
            if at < self.up
            else (self.factor[0], 1.0)
            if at < self.up + self.down
            else (1.0, 1.0)
        )
        return between(ends, u[1]), MODES[int(3 * u[2])]


class Noise(Part):
    """Gaussian or Poisson noise, of each channel or of all alike."""

    gaussian: Share = Field(0.5, description="chance of Gaussian noise; else it is Poisson")
    sigma_levels: tuple[Levels, Levels] = Field(
        (1.0, 30.0), description="range of the standard deviation, levels of 255"
    )
    poisson: tuple[Strength, Strength] = Field(
        (0.05, 3.0), description="range of the strength; 1 is the error of counting 256 photons at white"
    )
    grey: Share = Field(0.4, description="chance that the noise is the same in all channels")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(sigma_levels=self.sigma_levels, poisson=self.poisson)
        return self

    def draw(self, rng: np.random.Generator) -> NoiseDraw:
        """One pair's noise."""
        u = rng.random(3)
        gaussian = bool(u[0] < self.gaussian)
        return NoiseDraw(
            "gaussian" if gaussian else "poisson",
            between(self.sigma_levels if gaussian else self.poisson, u[1]),
            bool(u[2] < self.grey),
        )


class FirstRound(Part):
    """The photo's first journey: lens and sensor, a resize, the camera's file."""

    blur: Share = Field(1.0, description="chance that there is a blur")
    kernel: RandomKernel = RandomKernel()
    resize: Resize = Resize()
    noise: Noise = Noise()
    jpeg: tuple[Quality, Quality] = Field(
        (30, 95), description="range of the JPEG quality, both ends included"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(jpeg=self.jpeg)
        return self

    def draw(self, seed: int, name: str) -> RoundDraw:
        """One round, each step from its own stream: changing one changes no other."""

        def stream(step: str) -> np.random.Generator:
            return seeds.stream(seed, "second order", name, step)

        blurred = stream("whether blurred").random() < self.blur
        factor, mode = self.resize.draw(stream("resize"))
        kernel = self.kernel.draw(stream("kernel")) if blurred else None
        return RoundDraw(
            kernel,
            factor,
            mode,
            self.noise.draw(stream("noise")),
            int(stream("jpeg").integers(*self.jpeg, endpoint=True)),
        )


class SecondRound(FirstRound):
    """The photo's second journey, mostly gentler: as a web page resizes and stores it again. Its
    factor is of the final size.
    """

    blur: Share = Field(0.8, description="chance that there is a blur")
    kernel: RandomKernel = RandomKernel(sigma_px=(0.2, 1.5))
    resize: Resize = Resize(up=0.3, down=0.4, keep=0.3, factor=(0.3, 1.2))
    noise: Noise = Noise(sigma_levels=(1.0, 25.0), poisson=(0.05, 2.5))
