"""Camera shake as a random walk that turns: DeblurGAN's stochastic model, drawn a thousand times
faster.

A point moves at constant speed for `steps` steps over `max_len_px`. Each step turns its direction a
little: by hand tremor (a normal draw), by the pull back to the start, and rarely by a big shake
that throws it back.

Each kernel is drawn from its own generator and walked in `walk.py`, and its light is added up
exactly (`exact_splat.py`): it is bit for bit the same, alone or among others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Kernel
from components.optics.blurs.exact_splat import exact_splat
from components.optics.blurs.trajectory_simulation import UNIT_BITS, Shake, Whole, walked

DRAWN = 2048  # trajectories walked at once: bounds memory to some 60 MB
SPLAT = 64  # of them splatted at once: the fastest of 8 to 256


@dataclass(frozen=True)
class Drawn:
    """One trajectory before it is walked, with what a pair's row says of it."""

    shake: Shake
    parameters: dict[str, JsonValue]
    exposed: int  # samples that reach the sensor


class RandomTrajectory(Part):
    """Random camera shake (Kupyn et al. 2018, "DeblurGAN", section 4.1, after Boracchi & Foi 2012)."""

    kind: Literal["random_trajectory"] = "random_trajectory"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    canvas_px: int = Field(64, ge=8, le=512, description="side of the square that holds every kernel")
    steps: int = Field(2000, ge=100, le=20000, description="samples along the whole trajectory")
    max_len_px: float = Field(
        60.0, gt=0, description="arc length of the whole trajectory; its extent is about a quarter of that"
    )
    anxiety: tuple[Annotated[float, Field(gt=0, le=0.1)], ...] = Field(
        (0.01, 0.009, 0.008, 0.007, 0.005, 0.003),
        min_length=1,
        description="how nervous the hand is; one is drawn per kernel",
    )
    exposures: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.1, 0.5, 1.0),
        min_length=1,
        description="part of the trajectory during which the shutter is open; one is drawn per kernel",
    )
    centred: bool = Field(
        True,
        description="centroid on the middle pixel; false keeps the original's offset of 1.4 px on average",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_len_px > self.canvas_px - 4:
            raise ValueError(
                f"max_len_px is {self.max_len_px:g}, but a straight trajectory must fit canvas_px"
                f" {self.canvas_px} with 4 px to spare; set max_len_px to at most {self.canvas_px - 4} or"
                f" canvas_px to at least {math.ceil(self.max_len_px) + 4}"
            )
        if self.max_len_px / (self.steps - 1) > 0.5:
            raise ValueError(
                f"steps is {self.steps}, which leaves gaps: {self.max_len_px:g} px need at least"
                f" {math.ceil(2 * self.max_len_px) + 1} steps of half a pixel"
            )
        return self

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        # No point of a path is further from the mean of its points than half the path's length.
        reach = math.ceil(self.max_len_px / 2) + 1 if self.centred else self.canvas_px // 2
        return 2 * reach + 1

    @property
    def _step_px(self) -> float:
        return self.max_len_px / (self.steps - 1)

    def kernel(self, rng: np.random.Generator) -> Kernel:
        """One PSF: (h, w) float32, both odd, never negative, summing to 1."""
        return self.kernels([rng])[0]

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One effect per generator (the contract of every kind)."""
        return list(self.kernels(rngs))

    def kernels(self, rngs: Sequence[np.random.Generator]) -> list[Kernel]:
        """One PSF per generator, many at a time; each equals what `kernel` gives for its generator
        alone.
        """
        made: list[Kernel] = []
        for first in range(0, len(rngs), DRAWN):
            made += self._kernels([self._drawn(rng) for rng in rngs[first : first + DRAWN]])
        return made

    def _drawn(self, rng: np.random.Generator) -> Drawn:
        """Draw what is random about one trajectory."""
        u = rng.random(6).tolist()
        anxiety = self.anxiety[int(u[0] * len(self.anxiety))]
        exposure = self.exposures[int(u[1] * len(self.exposures))]
        pull, chance, tremor, angle = 0.7 * u[2], 0.2 * u[3], 10.0 * u[4], 2 * math.pi * u[5]
        exposed = max(2, round(exposure * self.steps))
        # The original places the kernel by the whole trajectory's extent, seen or not.
        steps = (exposed if self.centred else self.steps) - 1
        turns = _turns(rng, steps, anxiety * chance)
        words = (
            rng.bit_generator.random_raw(-(-steps // 2)).astype("<u8", copy=False).view("<u2")[: 2 * steps]
        )
        parameters: dict[str, JsonValue] = {
            "anxiety": anxiety,
            "exposure": exposure,
            "pull": pull,
            "shake_chance": chance,
            "tremor": tremor,
            "angle_deg": math.degrees(angle),
            "big_shakes": sum(step < exposed - 1 for step, _, _ in turns),
        }
        start = complex(math.cos(angle), math.sin(angle))
        return Drawn(
            Shake(start, pull * anxiety * self._step_px, anxiety * tremor, words, turns), parameters, exposed
        )

    def _kernels(self, drawn: list[Drawn]) -> list[Kernel]:
        """Walk, place and splat: all together, those of one exposure beside each other, the longest
        first.
        """
        order = sorted(range(len(drawn)), key=lambda index: -drawn[index].exposed)
        path, total = walked([drawn[index].shake for index in order], self._step_px)
        made: dict[int, Kernel] = {}
        for exposed, alike in groupby(order, key=lambda index: drawn[index].exposed):
            members = list(alike)
            for first in range(0, len(members), SPLAT):
                group = members[first : first + SPLAT]
                columns = slice(len(made), len(made) + len(group))
                places = path[:, :, columns]
                shift = (
                    -np.rint(total[:, columns] / exposed).astype(np.int32)
                    if self.centred
                    else self._official_offset(places)
                )
                psfs = exact_splat(places[:exposed], shift)
                made.update(
                    (index, Kernel(psf, drawn[index].parameters))
                    for index, psf in zip(group, psfs, strict=True)
                )
        return [made[index] for index in range(len(drawn))]

    def _official_offset(self, places: Whole) -> Whole:
        """Where the original puts the trajectory: its start on a whole pixel, its extent about in
        the middle of the canvas.
        """
        # After the shift to non-negative places the start lies at -low, whose fraction is taken off
        # again.
        shift = (-places.min(axis=0) >> UNIT_BITS) + 1
        high = places.max(axis=0) + (shift << UNIT_BITS)
        # Seen from pixel 32 of 64. The original's convolution takes pixel 31 for the middle of an
        # even kernel, one px more each way.
        shift += -((high - (self.canvas_px << UNIT_BITS)) >> (UNIT_BITS + 1))
        shift -= self.largest_px // 2
        return np.asarray(shift << UNIT_BITS)


def _turns(rng: np.random.Generator, steps: int, chance: float) -> tuple[tuple[int, float, float], ...]:
    """The big shakes of a trajectory, each step having the same chance: from one to the next, by
    the geometric distribution.
    """
    turns: list[tuple[int, float, float]] = []
    step, never = -1, math.log1p(-chance)
    while True:
        gap = math.log1p(-rng.random()) / never if never else math.inf
        if gap >= steps - 1 - step:
            return tuple(turns)
        step += 1 + int(gap)
        phi = rng.random() - 0.5
        turns.append((step, 1 - 2 * math.cos(phi), -2 * math.sin(phi)))
