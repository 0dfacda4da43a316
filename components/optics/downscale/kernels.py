"""The blurs of Real-ESRGAN's second-order degradation: round and long Gaussians, their blunter and
more pointed relatives, and the sinc.

All are (k, k) float32, k odd, summing to 1; but for the sinc's, whose lobes ring as an
over-sharpened photo does, none has a negative value.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.blurs.ranges import between, in_order

Profile = Literal["gaussian", "generalised", "plateau", "sinc"]
Share = Annotated[float, Field(ge=0, le=1)]
Sigma = Annotated[float, Field(ge=0.1, le=20)]
Beta = Annotated[float, Field(ge=0.25, le=10)]
Side = Annotated[int, Field(ge=3, le=63)]
SHORT_PX = 13  # sinc kernels with a shorter side keep more of the detail: too few taps hold a low cutoff


@dataclass(frozen=True)
class KernelDraw:
    """One drawn kernel: a Gaussian or relative of two widths at an angle, or a sinc of one cutoff."""

    profile: Profile
    side_px: int
    sigma_px: tuple[float, float] | None = None
    angle_rad: float = 0.0
    beta: float = 1.0
    cutoff_rad: float | None = None  # angular frequency a pixel; π keeps everything

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter."""
        return {**asdict(self), "sigma_px": None if self.sigma_px is None else list(self.sigma_px)}

    def taps(self) -> Floats:
        """The kernel itself."""
        if self.profile == "sinc":
            assert self.cutoff_rad is not None, "a sinc has a cutoff"
            return sinc_taps(self.side_px, self.cutoff_rad)
        assert self.sigma_px is not None, "a Gaussian has widths"
        return gaussian_taps(self.side_px, self.sigma_px, self.angle_rad, self.profile, self.beta)

    @property
    def variance_px2(self) -> float:
        """Mean square distance of its light from the middle; of a sinc, that of the square which is
        as wide as its finest detail.
        """
        if self.cutoff_rad is not None:
            return aperture_px2(math.pi / self.cutoff_rad)
        return Kernel(self.taps()).severity_px ** 2


def aperture_px2(side_px: float) -> float:
    """Mean square distance from the middle of light spread over a square, beyond that of a pixel.

    >>> aperture_px2(1.0), aperture_px2(7.0)
    (0.0, 8.0)
    """
    return max(0.0, (side_px**2 - 1) / 6)


def gaussian_taps(
    side_px: int, sigma_px: tuple[float, float], angle_rad: float, profile: Profile, beta: float
) -> Floats:
    """A Gaussian or one of its relatives, by q = xᵀ Σ⁻¹ x at each pixel's middle.

    gaussian: exp(−q/2). generalised: exp(−q^β/2), blunter above β = 1, more pointed below. plateau:
    1 / (1 + q^β), flat in the middle.
    sigma_px: widths along the turned axes; angle_rad: of the first one, from x towards y, which
    points down.
    Source: Liu et al. 2020, "Estimating generalized Gaussian blur kernels for out-of-focus image
    deblurring", for the relatives; Wang et al. 2021, "Real-ESRGAN", sections 3.1 and 3.2.
    """
    away = np.arange(side_px) - side_px // 2
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    along, aside = (
        away[None, :] * cosine + away[:, None] * sine,
        away[:, None] * cosine - away[None, :] * sine,
    )
    q = (along / sigma_px[0]) ** 2 + (aside / sigma_px[1]) ** 2
    light = (
        1 / (1 + q**beta)
        if profile == "plateau"
        else np.exp(-0.5 * (q if profile == "gaussian" else q**beta))
    )
    return np.asarray(light / light.sum(), np.float32)


def sinc_taps(side_px: int, cutoff_rad: float) -> Floats:
    """A circular low-pass filter, cut off at the kernel's border: ω J₁(ω r) / (2π r), whose lobes
    ring around edges.

    cutoff_rad: ω, the highest angular frequency a pixel that is kept, above 0 to π.
    Source: Wang et al. 2021, section 3.3.
    """
    # SciPy takes a quarter of a second to import; settings alone must not wait for it.
    from scipy.special import j1

    away = np.arange(side_px) - side_px // 2
    radius = np.hypot(away[None, :], away[:, None])
    # The limit at the middle is ω² / 4π.
    found = np.full(radius.shape, cutoff_rad**2 / (4 * math.pi))
    apart = radius > 0
    found[apart] = cutoff_rad * j1(cutoff_rad * radius[apart]) / (2 * math.pi * radius[apart])
    return np.asarray(found / found.sum(), np.float32)


class Shapes(Part):
    """How often each shape is drawn, relative to the others (Wang et al. 2021, section 4.1)."""

    round: float = Field(0.45, ge=0)
    long: float = Field(0.25, ge=0, description="two widths, any angle")
    round_generalised: float = Field(0.12, ge=0)
    long_generalised: float = Field(0.03, ge=0)
    round_plateau: float = Field(0.12, ge=0)
    long_plateau: float = Field(0.03, ge=0)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if sum(self.model_dump().values()) == 0:
            raise ValueError("every shape has chance 0: give one of them more")
        return self

    def draw(self, u: float) -> tuple[Profile, bool]:
        """Profile and whether it is long, by a number in [0, 1)."""
        chances = np.cumsum(list(self.model_dump().values()))
        name = list(type(self).model_fields)[int(np.searchsorted(chances, u * chances[-1], side="right"))]
        profile: Profile = (
            "plateau"
            if name.endswith("plateau")
            else "generalised"
            if name.endswith("generalised")
            else "gaussian"
        )
        return profile, name.startswith("long")


class RandomKernel(Part):
    """One of all these shapes, or now and then a sinc."""

    side_px: tuple[Side, Side] = Field((7, 21), description="range of the kernel's side; odd ones are drawn")
    shapes: Shapes = Field(Shapes(), description="how often each shape is drawn where it is no sinc")
    sinc: Share = Field(0.1, description="chance of a sinc filter, which rings, in place of a blur")
    sigma_px: tuple[Sigma, Sigma] = Field((0.2, 3.0), description="range of the widths")
    beta_generalised: tuple[Beta, Beta] = Field(
        (0.5, 4.0), description="range of the exponent; as often below 1 as above"
    )
    beta_plateau: tuple[Beta, Beta] = Field(
        (1.0, 2.0),
        description="likewise: a range that begins at 1 gives exactly 1 half of the time, as published",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(
            side_px=self.side_px,
            sigma_px=self.sigma_px,
            beta_generalised=self.beta_generalised,
            beta_plateau=self.beta_plateau,
        )
        if self.side_px[0] % 2 == 0 or self.side_px[1] % 2 == 0:
            raise ValueError(
                f"side_px is {list(self.side_px)}, but a kernel has a middle pixel: give odd ends"
            )
        for name in ("beta_generalised", "beta_plateau"):
            low, high = getattr(self, name)
            if not low <= 1 <= high:
                raise ValueError(
                    f"{name} is [{low:g}, {high:g}], but half of its draws lie below 1 and half above: let"
                    " the range hold 1"
                )
        return self

    def draw(self, rng: np.random.Generator) -> KernelDraw:
        """One kernel; always the same number of draws, so that no setting moves another."""
        u = rng.random(8)
        side = draw_side(self.side_px, u[0])
        if u[1] < self.sinc:
            return KernelDraw(
                "sinc", side, cutoff_rad=between((math.pi / (3 if side < SHORT_PX else 5), math.pi), u[2])
            )
        profile, long = self.shapes.draw(u[3])
        sigma = between(self.sigma_px, u[4])
        ends = {"generalised": self.beta_generalised, "plateau": self.beta_plateau}.get(profile)
        beta = (
            1.0
            if ends is None
            else between((ends[0], 1.0), 2 * u[5])
            if u[5] < 0.5
            else between((1.0, ends[1]), 2 * u[5] - 1)
        )
        across, angle = (between(self.sigma_px, u[6]), math.pi * (2 * u[7] - 1)) if long else (sigma, 0.0)
        return KernelDraw(profile, side, (sigma, across), float(angle), beta)


def draw_side(ends: tuple[int, int], u: float) -> int:
    """An odd number of a range, both ends included, by a number in [0, 1)."""
    return ends[0] + 2 * int(u * ((ends[1] - ends[0]) // 2 + 1))
