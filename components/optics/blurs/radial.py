"""Blur around a point: zooming while the shutter is open, or the camera rolling about its axis.

Both turn the photo by z → exp(λ t) z about the blur's centre, t from −1 to 1 during the exposure,
in the complex plane: λ is real for a zoom and imaginary for a spin. Such turns add up, so that
averages of averages are averages: n = a · b · c moments cost a + b + c − 3 resampled photos.

Source: the photo as the average of what the camera saw in each of its poses (Tai, Tan & Brown 2011,
"Richardson-Lucy deblurring for scenes under a projective motion path"), here for two families of
poses.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Floats
from components.optics.blurs.linear_motion import line_psf
from components.optics.blurs.ranges import between, in_order

Length = Annotated[float, Field(ge=0, le=200)]
Share = Annotated[float, Field(ge=0, le=1)]

STAGES = 3  # averages of averages; a fourth would save little and resample once more
ODD = range(1, 16, 2)  # moments of a stage: up to 15³ px of streak
WARP = (
    2 | 16
    # cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP (the matrix leads to the source); bilinear is twice as
    # fast, and softens too much three times over
)


@dataclass(frozen=True)
class Turn:
    """One drawn zoom or spin: streaks as long as their distance from the centre, none there."""

    along: complex  # direction of a streak against the way out from the centre: 1 outwards, 1j around
    streak_px: float  # length of the streak half the photo's diagonal away from the centre of the blur
    centre: complex  # of the blur, from the photo's centre, in halves of its diagonal
    drawn: dict[str, JsonValue]

    @property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes: a line; a point if the blur's centre
        is there too.
        """
        way = -self.along * self.centre
        return line_psf(self.streak_px * abs(self.centre), cmath.phase(way))

    @property
    def severity_px(self) -> float:
        """RMS radius over the photo (root of the mean square of all places), the same for photos of
        all shapes.

        A streak of length L has the RMS radius L/√12; the mean square distance from the photo's
        centre is a third of half the diagonal's square.
        """
        return self.streak_px / math.sqrt(12) * math.sqrt(1 / 3 + abs(self.centre) ** 2)

    def apply(self, light: Floats) -> Floats:
        """Average the photo over the exposure: (H, W) or (H, W, C) light. Borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        import cv2

        height, width = light.shape[:2]
        half_diagonal = math.hypot(width - 1, height - 1) / 2
        centre = complex(width - 1, height - 1) / 2 + self.centre * half_diagonal
        rate = self.along * self.streak_px / (2 * half_diagonal)
        farthest = max(abs(complex(x, y) - centre) for x in (0, width - 1) for y in (0, height - 1))
        counts = _factors(2 * abs(rate) * farthest)
        # What is averaged must be right outside the photo too, as far as streaks reach.
        pad = math.ceil(abs(rate) * farthest) + 2
        seen = cv2.copyMakeBorder(light, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
        size, centre = (width + 2 * pad, height + 2 * pad), centre + complex(pad, pad)
        step, total, warped = 2 / math.prod(counts), np.empty_like(seen), np.empty_like(seen)
        for count in counts:
            np.multiply(seen, np.float32(1 / count), out=total)
            for moment in range(1, count // 2 + 1):
                for time in (step * moment, -step * moment):
                    cv2.warpAffine(
                        seen,
                        _matrix(cmath.exp(rate * time), centre),
                        size,
                        dst=warped,
                        flags=WARP,
                        borderMode=cv2.BORDER_REFLECT_101,
                    )
                    cv2.scaleAdd(warped, 1 / count, total, dst=total)
            seen, total, step = total, seen, step * count
        return np.ascontiguousarray(seen[pad : pad + height, pad : pad + width]).reshape(light.shape)


class RadialMotion(Part):
    """What zoom and spin have in common: how long the streaks are, and where they turn around."""

    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    streak_px: tuple[Length, Length] = Field(
        (4.0, 30.0),
        description="range of the streaks' length half the photo's diagonal away from the centre of the blur",
    )
    off_centre: tuple[Share, Share] = Field(
        (0.0, 0.3),
        description=(
            "range of the way from the photo's centre to the blur's, in halves of the photo's diagonal"
        ),
    )

    along: ClassVar[complex]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(streak_px=self.streak_px, off_centre=self.off_centre)
        return self

    @property
    def largest_px(self) -> int:
        """No streak is longer than this, even in the corner farthest from the centre of the blur."""
        return 2 * math.ceil(self.streak_px[1] * (1 + self.off_centre[1]) / 2) + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return [self._turn(rng) for rng in rngs]

    def _turn(self, rng: np.random.Generator) -> Turn:
        u = rng.random(3)
        streak, centre = (
            between(self.streak_px, u[0]),
            cmath.rect(between(self.off_centre, u[1]), float(2 * math.pi * u[2])),
        )
        return Turn(
            self.along,
            streak,
            centre,
            {"streak_px": streak, "centre_x": centre.real, "centre_y": centre.imag},
        )


class Zoom(RadialMotion):
    """Zooming, or moving ahead, while the shutter is open: streaks that run out from a point."""

    kind: Literal["zoom"] = "zoom"

    along: ClassVar[complex] = 1


class Spin(RadialMotion):
    """The camera rolling while the shutter is open: arcs around a point (Boracchi, Caglioti &
    Danese 2008).
    """

    kind: Literal["spin"] = "spin"

    along: ClassVar[complex] = 1j


def _factors(longest_px: float) -> tuple[int, ...]:
    """How many moments each stage averages, so that no streak steps by more than a pixel: what
    resamples least, then least often.

    Odd, so that the moment in the middle needs no resampling.

    >>> _factors(0.0), _factors(5.0), _factors(9.0), _factors(27.0), _factors(30.0)
    ((), (5,), (3, 3), (3, 3, 3), (3, 3, 5))
    """
    enough = (
        counts for counts in combinations_with_replacement(ODD, STAGES) if math.prod(counts) >= longest_px
    )
    return tuple(
        count for count in min(enough, key=lambda counts: (sum(counts), -counts.count(1))) if count > 1
    )


def _matrix(turn: complex, centre: complex) -> npt.NDArray[np.float64]:
    """z → centre + turn (z − centre) as the 2 × 3 matrix of OpenCV."""
    moved = centre - turn * centre
    return np.array([[turn.real, -turn.imag, moved.real], [turn.imag, turn.real, moved.imag]])
