"""A photo as the web hands it on: blurred, resized, noisy and compressed, and all of it a second
time (Real-ESRGAN).

    [USM] → blur → resize → noise → JPEG
          → blur → resize → noise → JPEG and the final size with its sinc filter, in either order

Everything is drawn for each pair by itself, from named streams of its seed. The original draws the
kinds of step once a batch and mixes the batches in a pool of 180 pairs; a pair of its own needs no
pool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.ranges import between, in_order
from components.optics.downscale.kernels import KernelDraw, Share, Side, aperture_px2, draw_side
from components.optics.downscale.part import DownscalePart
from components.optics.downscale.rounds import MODES, FirstRound, Mode, RoundDraw, SecondRound

if TYPE_CHECKING:
    from components.core.images import Bytes8, Floats


class UnsharpMask(Part):
    """Sharper edges for the training target (Wang et al. 2021, section 3.4), so that a net learns
    to make them so.
    """

    side_px: Side = Field(
        51, description="side of the Gaussian, odd; its sigma is 0.3 ((side − 1) / 2 − 1) + 0.8"
    )
    amount: float = Field(
        0.5, gt=0, le=3, description="part of the difference from the blurred photo that is added"
    )
    threshold_levels: float = Field(
        10.0, ge=0, le=255, description="differences up to this are left alone, levels of 255"
    )

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.side_px % 2 == 0:
            raise ValueError(
                f"side_px is {self.side_px}, but a kernel has a middle pixel: give an odd number"
            )
        return self


class FinalSinc(Part):
    """The last filter, which rings as a photo does that was sharpened or cut in frequency."""

    chance: Share = Field(0.8, description="of a sinc; else there is none")
    side_px: tuple[Side, Side] = Field((7, 21), description="range of the kernel's side; odd ones are drawn")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(side_px=self.side_px)
        if self.side_px[0] % 2 == 0 or self.side_px[1] % 2 == 0:
            raise ValueError(
                f"side_px is {list(self.side_px)}, but a kernel has a middle pixel: give odd ends"
            )
        return self

    def draw(self, rng: np.random.Generator) -> KernelDraw | None:
        """One pair's filter."""
        u = rng.random(3)
        return (
            KernelDraw(
                "sinc", draw_side(self.side_px, u[1]), cutoff_rad=between((math.pi / 3, math.pi), u[2])
            )
            if u[0] < self.chance
            else None
        )


@dataclass(frozen=True)
class TwoRounds:
    """One pair's way to its small photo, all drawn."""

    seed: int
    scale: int
    first: RoundDraw
    second: RoundDraw
    sinc: KernelDraw | None
    mode: Mode  # of the last resize
    jpeg_last: bool  # JPEG after the sinc filter; else before it

    @property
    def pair_kind(self) -> str:
        """What its pairs are called."""
        return "second_order"

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter."""
        final: dict[str, JsonValue] = {
            "mode": self.mode,
            "sinc": None if self.sinc is None else self.sinc.drawn,
            "jpeg_last": self.jpeg_last,
        }
        return {
            "kind": "second_order",
            "scale": self.scale,
            "first": self.first.drawn,
            "second": self.second.drawn,
            "final": final,
        }

    @property
    def reach(self) -> None:
        """Sizes and JPEG blocks between are the whole photo's own."""
        return

    @property
    def severity_px(self) -> float:
        """RMS radius in px of the sharp photo: of the kernels, each at the size it acts at, and of
        pixels larger than the final ones.
        """
        once = self.first.factor
        spread = 0.0 if self.first.kernel is None else self.first.kernel.variance_px2
        spread += 0.0 if self.second.kernel is None else self.second.kernel.variance_px2 / once**2
        spread += 0.0 if self.sinc is None else self.sinc.variance_px2 * self.scale**2
        # Detail that a size between did not hold is gone, whatever size comes after.
        smallest = min(once, self.second.factor / self.scale)
        return math.sqrt(spread + aperture_px2(1 / (smallest * self.scale)) * self.scale**2)

    def apply(self, light: Floats, *, linear: bool = True) -> Floats:
        """(H, W) or (H, W, 3) with H and W multiples of the scale, to 1/scale of it each way, on
        the 256 levels of a file.

        The steps work on sRGB values, as published: linear light is converted on its way in and
        out.
        """
        # The picture codecs take a tenth of a second to import; settings alone must not wait for
        # them.
        from components.core.images import linear_of, linear_to_srgb, to_float, to_uint8
        from components.optics.downscale.steps import compressed, filtered, resized

        height, width = light.shape[:2]
        small = height // self.scale, width // self.scale
        picture = np.clip(light, 0, 1, dtype=np.float32)
        picture = linear_to_srgb(picture) if linear else picture
        picture = self._round("first", self.first, picture, _sides(height, width, self.first.factor))
        picture = compressed(picture, self.first.jpeg_quality)
        picture = self._round("second", self.second, picture, _sides(*small, self.second.factor))
        if not self.jpeg_last:
            picture = compressed(picture, self.second.jpeg_quality)
        picture = resized(picture, *small, self.mode)
        if self.sinc is not None:
            picture = filtered(picture, self.sinc.taps())
        if self.jpeg_last:
            picture = compressed(picture, self.second.jpeg_quality)
        pixels = to_uint8(picture)
        return linear_of(pixels) if linear else to_float(pixels)

    def _round(self, name: str, drawn: RoundDraw, picture: Floats, sides: tuple[int, int]) -> Floats:
        """Blur, resize and noise of one round."""
        from components.optics.downscale.steps import filtered, resized, with_gaussian, with_poisson

        if drawn.kernel is not None:
            picture = filtered(picture, drawn.kernel.taps())
        picture = resized(picture, *sides, drawn.mode)
        noisy = with_gaussian if drawn.noise.kind == "gaussian" else with_poisson
        return noisy(
            picture,
            drawn.noise.amount,
            drawn.noise.grey,
            seeds.stream(self.seed, "second order", name, "noise field"),
        )


def _sides(height: int, width: int, factor: float) -> tuple[int, int]:
    """Whole px, at least one."""
    return max(1, int(height * factor)), max(1, int(width * factor))


class SecondOrder(DownscalePart):
    """Blurred, resized, noisy and compressed, twice over, at random (Wang et al. 2021,
    "Real-ESRGAN", section 3); every range at its published value.

    It is a camera and a file of its own, so the recipe's `camera` adds no step to it. Its training
    pairs start from and aim at the sharpened photo, unless `usm` is null; validation and test pairs
    have the photo itself. A blur before it, where the recipe has one, is in linear light.
    """

    kind: Literal["second_order"] = "second_order"
    first: FirstRound = Field(FirstRound(), description="the first round")
    second: SecondRound = Field(
        SecondRound(), description="the second round; its resize factor is of the final size"
    )
    final_sinc: FinalSinc = Field(
        FinalSinc(), description="filter at the final size, before or after the second JPEG, each as likely"
    )
    usm: UnsharpMask | None = Field(
        UnsharpMask(),
        description=(
            "sharpen the photo of a training pair, target and source of the small one; null leaves it"
        ),
    )
    random: ClassVar[bool] = True
    has_camera: ClassVar[bool] = True

    @property
    def words(self) -> str:
        """What it does, in a few words."""
        return "twice blurred, resized, noisy and JPEG (Real-ESRGAN)"

    @property
    def reach(self) -> None:
        """Sizes and JPEG blocks between are the whole photo's own."""
        return

    def draw(self, seed: int) -> TwoRounds:
        """One pair's two rounds."""
        u = seeds.stream(seed, "second order", "final").random(2)
        sinc = self.final_sinc.draw(seeds.stream(seed, "second order", "final sinc"))
        rounds = self.first.draw(seed, "first"), self.second.draw(seed, "second")
        return TwoRounds(seed, self.scale, *rounds, sinc, MODES[int(3 * u[0])], bool(u[1] < 0.5))

    def train_target(self, pixels: Bytes8) -> Bytes8:
        """The sharpened photo, (H, W, 3) uint8 sRGB."""
        from components.optics.downscale.steps import unsharp_masked

        return (
            pixels
            if self.usm is None
            else unsharp_masked(pixels, self.usm.side_px, self.usm.amount, self.usm.threshold_levels)
        )
