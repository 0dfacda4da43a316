"""Camera shake as a random walk that turns: DeblurGAN's stochastic model, drawn a thousand times faster.

A point moves at constant speed for `steps` steps over `max_len_px`. Each step turns its direction a little: by hand
tremor (a normal draw), by the pull back to the start, and rarely by a big shake that throws it back.

In units of a step, with direction u (|u| = 1), place x, anxiety a, normal draws n, per-kernel tremor g and pull c:

    w = (1 + q) u + a (g n − c x)      q = −2 e^{iφ} with φ in ±½ when shaken (probability a p), else 0
    u ← w / |w|,  x ← x + u

Each kernel is drawn from its own generator, and both ways to walk below (one kernel in plain Python, many at once in
numpy) do the same IEEE operations in the same order: a kernel is bit for bit the same, alone or among others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.effect import Effect, Floats, Kernel

Doubles = npt.NDArray[np.float64]

TOGETHER_FROM = 16  # kernels; below, plain Python walks faster than numpy's overhead allows
DRAWN = 1024  # trajectories drawn before any is walked: bounds memory to some 100 MB
BATCH = 512  # kernels walked at once: the fastest of 64 to 1024
SPLAT = 16  # of them splatted at once, likewise


@dataclass(frozen=True)
class Shake:
    """Everything random about one trajectory, before it is walked."""

    drawn: dict[str, JsonValue]
    start: complex  # first direction
    pull: float  # c · a · step: back to the start, per step away
    force: Doubles  # (n − 1, 2): tremor of each step
    turns: tuple[tuple[int, float, float], ...]  # big shakes: step, real and imaginary part of 1 + q
    exposed: int  # samples that reach the sensor


class RandomTrajectory(Part):
    """Random camera shake (Kupyn et al. 2018, "DeblurGAN", section 4.1, after Boracchi & Foi 2012)."""

    kind: Literal["random_trajectory"] = "random_trajectory"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    canvas_px: int = Field(64, ge=8, le=512, description="side of the square that holds every kernel")
    steps: int = Field(2000, ge=100, le=20000, description="samples along the whole trajectory")
    max_len_px: float = Field(60.0, gt=0, description="arc length of the whole trajectory; its extent is about a quarter of that")
    anxiety: tuple[Annotated[float, Field(gt=0, le=0.1)], ...] = Field(
        (0.01, 0.009, 0.008, 0.007, 0.005, 0.003), min_length=1, description="how nervous the hand is; one is drawn per kernel"
    )
    exposures: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.1, 0.5, 1.0), min_length=1, description="part of the trajectory during which the shutter is open; one is drawn per kernel"
    )
    centred: bool = Field(True, description="centroid on the middle pixel; false keeps the original's offset of 1.4 px on average")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_len_px > self.canvas_px - 4:
            raise ValueError(
                f"max_len_px is {self.max_len_px:g}, but a straight trajectory must fit canvas_px {self.canvas_px} with 4 px to spare;"
                f" set max_len_px to at most {self.canvas_px - 4} or canvas_px to at least {math.ceil(self.max_len_px) + 4}"
            )
        if self.max_len_px / (self.steps - 1) > 0.5:
            raise ValueError(
                f"steps is {self.steps}, which leaves gaps: {self.max_len_px:g} px need at least {math.ceil(2 * self.max_len_px) + 1} steps of half a pixel"
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
        """One PSF per generator, many at a time; each equals what `kernel` gives for its generator alone."""
        made: list[Kernel] = []
        for first in range(0, len(rngs), DRAWN):
            made += self._kernels([self._shake(rng) for rng in rngs[first : first + DRAWN]])
        return made

    def _kernels(self, shakes: list[Shake]) -> list[Kernel]:
        """PSFs in the shakes' order, those of one exposure walked together."""
        made: dict[int, Kernel] = {}
        for exposed in sorted({shake.exposed for shake in shakes}):
            alike = [index for index, shake in enumerate(shakes) if shake.exposed == exposed]
            for first in range(0, len(alike), BATCH):
                group = alike[first : first + BATCH]
                made.update(zip(group, self._kernels_of_one_exposure([shakes[index] for index in group]), strict=True))
        return [made[index] for index in range(len(shakes))]

    def _shake(self, rng: np.random.Generator) -> Shake:
        """Draw what is random about one trajectory."""
        u = rng.random(6)
        anxiety = self.anxiety[int(u[0] * len(self.anxiety))]
        exposure = self.exposures[int(u[1] * len(self.exposures))]
        pull, chance, tremor, angle = 0.7 * u[2], 0.2 * u[3], 10.0 * u[4], 2 * math.pi * u[5]
        exposed = max(2, round(exposure * self.steps))
        # The original places the kernel by the whole trajectory's extent, seen or not.
        walked = exposed if self.centred else self.steps
        force = rng.standard_normal((walked - 1, 2))
        force *= anxiety * tremor
        shaken = np.flatnonzero(rng.random(walked - 1) < anxiety * chance)
        turned = rng.random(shaken.size) - 0.5
        turns = tuple((int(step), 1 - 2 * math.cos(phi), -2 * math.sin(phi)) for step, phi in zip(shaken, turned, strict=True))
        drawn: dict[str, JsonValue] = {
            "anxiety": anxiety,
            "exposure": exposure,
            "pull": float(pull),
            "shake_chance": float(chance),
            "tremor": float(tremor),
            "angle_deg": float(math.degrees(angle)),
            "big_shakes": sum(step < exposed - 1 for step, _, _ in turns),
        }
        return Shake(drawn, complex(math.cos(angle), math.sin(angle)), float(pull * anxiety * self._step_px), force, turns, exposed)

    def _kernels_of_one_exposure(self, shakes: list[Shake]) -> list[Kernel]:
        """Walk, place, splat, crop."""
        paths = _walked_together(shakes) if len(shakes) >= TOGETHER_FROM else np.stack([_walked(shake) for shake in shakes])
        middle = self.largest_px // 2
        psfs: list[Floats] = []
        for first in range(0, len(shakes), SPLAT):
            places = paths[first : first + SPLAT] * self._step_px
            seen = places[:, :, : shakes[first].exposed]
            seen = seen + (middle - seen.mean(axis=2, keepdims=True) if self.centred else self._official_offset(places))
            psfs += _splatted(seen, middle)
        return [Kernel(psf, shake.drawn) for psf, shake in zip(psfs, shakes, strict=True)]

    def _official_offset(self, places: Doubles) -> Doubles:
        """Where the original puts the trajectory: its start on a whole pixel, its extent about in the middle of the canvas."""
        low = places.min(axis=2, keepdims=True)
        # Start at 0 in `places`: after the shift to non-negative places it lies at -low, whose fraction is taken off again.
        shift = np.floor(-low) + 1.0
        high = places.max(axis=2, keepdims=True) + shift
        # Seen from pixel 32 of 64. The original's convolution takes pixel 31 for the middle of an even kernel, one px more each way.
        return np.asarray(shift + np.ceil((self.canvas_px - high) / 2))


def _walked(shake: Shake) -> Doubles:
    """One trajectory, step by step in plain Python: (2, n) places in steps, x then y."""
    ux, uy, x, y, pull = shake.start.real, shake.start.imag, 0.0, 0.0, shake.pull
    xs, ys = [x], [y]
    force_x, force_y = shake.force[:, 0].tolist(), shake.force[:, 1].tolist()
    sqrt, add_x, add_y = math.sqrt, xs.append, ys.append
    starts = [0, *(step for step, _, _ in shake.turns)]
    stops = [*starts[1:], len(force_x)]
    turns = [(1.0, 0.0), *((real, imaginary) for _, real, imaginary in shake.turns)]
    for first, stop, (real, imaginary) in zip(starts, stops, turns, strict=True):
        ux, uy = real * ux - imaginary * uy, imaginary * ux + real * uy
        for fx, fy in zip(force_x[first:stop], force_y[first:stop], strict=True):
            wx = (ux + fx) - pull * x
            wy = (uy + fy) - pull * y
            length = sqrt(wx * wx + wy * wy)
            ux, uy = wx / length, wy / length
            x += ux
            y += uy
            add_x(x)
            add_y(y)
    return np.array([xs, ys])


def _walked_together(shakes: Sequence[Shake]) -> Doubles:
    """Trajectories of one length, all taking each step at once: (B, 2, n) places in steps."""
    count = len(shakes)
    force = np.ascontiguousarray(np.stack([shake.force for shake in shakes]).transpose(1, 2, 0))
    pull = np.array([shake.pull for shake in shakes])
    u = np.array([[shake.start.real for shake in shakes], [shake.start.imag for shake in shakes]])
    path = np.zeros((len(force) + 1, 2, count))
    away, square, length = np.empty((2, count)), np.empty((2, count)), np.empty(count)
    turns: dict[int, list[tuple[int, float, float]]] = {}
    for index, shake in enumerate(shakes):
        for step, real, imaginary in shake.turns:
            turns.setdefault(step, []).append((index, real, imaginary))
    for step, (pushed, here, there) in enumerate(zip(force, path[:-1], path[1:], strict=True)):
        for index, real, imaginary in turns.get(step, ()):
            ux, uy = u[:, index]
            u[:, index] = real * ux - imaginary * uy, imaginary * ux + real * uy
        np.add(u, pushed, out=u)
        np.multiply(pull, here, out=away)
        np.subtract(u, away, out=u)
        np.multiply(u, u, out=square)
        np.add(square[0], square[1], out=length)
        np.sqrt(length, out=length)
        np.divide(u, length, out=u)
        np.add(here, u, out=there)
    return np.ascontiguousarray(path.transpose(2, 1, 0))


def _splatted(places: Doubles, middle: int) -> list[Floats]:
    """Drop each sample's light on the four pixels around it, bilinearly, which keeps the centroid to rounding.

    places: (B, 2, n) px, x then y, on a canvas whose middle pixel is (middle, middle).
    Returns B PSFs that sum to 1, each cropped to the smallest odd sides that keep its light and its middle.
    """
    count, _, samples = places.shape
    whole = np.floor(places)
    right = places - whole
    left = 1.0 - right
    corner = whole.astype(np.intp)
    corner -= middle
    # Light that falls exactly on a pixel still counts its empty neighbour as lit: at most a row of zeros.
    reach = np.maximum(-corner.min(axis=2), corner.max(axis=2) + 1)
    half = int(reach.max())
    side = 2 * half + 1
    index = corner[:, 1] * side
    index += corner[:, 0]
    index += ((np.arange(count) * side + half) * side + half)[:, None]
    where = np.empty((4, count, samples), np.intp)
    light = np.empty((4, count, samples))
    for quarter, (down, across, y, x) in enumerate(((0, 0, left, left), (0, 1, left, right), (1, 0, right, left), (1, 1, right, right))):
        np.add(index, down * side + across, out=where[quarter])
        np.multiply(y[:, 1], x[:, 0], out=light[quarter])
    canvases = np.bincount(where.ravel(), weights=light.ravel(), minlength=count * side * side).reshape(count, side, side)
    return [
        (canvas[half - rows : half + rows + 1, half - columns : half + columns + 1] / samples).astype(np.float32)
        for canvas, (columns, rows) in zip(canvases, reach.tolist(), strict=True)
    ]
