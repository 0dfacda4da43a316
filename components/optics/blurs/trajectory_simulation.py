"""Walking trajectories: one in plain Python, or many at once in numpy, bit for bit the same.

In units of a step, with direction u (|u| = 1), place x, pull c, tremor g and two normal numbers n a
step:

    w = (1 + q) u + g n − c x      q = −2 e^{iφ} with φ in ±½ where the camera is knocked, else 0
    u ← w / |w|,  x ← x + u

Both ways do the same IEEE operations in the same order. Places come out as whole numbers of 1/2^20
px, so that whatever is summed over them later is exact, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from components.optics.noise import quantiles

Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int32]

UNIT_BITS = 20  # a px is 2^20 units: paths of up to 512 px fit 32 bits
TOGETHER_FROM = 20  # trajectories; below, plain Python walks faster than numpy's overhead allows
CHUNK = 32  # steps between looks at the normal numbers: what is at hand then fits the processor's cache


@dataclass(frozen=True)
class Shake:
    """Everything random about one trajectory, before it is walked."""

    start: complex  # first direction
    pull: float  # c: back to the start, per step away
    tremor: float  # g
    words: npt.NDArray[
        np.uint16
    ]  # (2 (n − 1),) which quantiles of the normal distribution push each step, x then y
    turns: tuple[tuple[int, float, float], ...]  # knocks: step, real and imaginary part of 1 + q

    @property
    def samples(self) -> int:
        """Places on the path, start and end among them."""
        return len(self.words) // 2 + 1


def walked(shakes: Sequence[Shake], step_px: float) -> tuple[Whole, Doubles]:
    """Trajectories of whatever lengths, the longest first.

    Returns their places, (n, 2, B) in units of 2^-20 px from the start, x then y, those after a
    path's end being undefined; and the sums over each path's places, (2, B), exact.
    """
    assert all(one.samples >= other.samples for one, other in pairwise(shakes)), (
        "the longest path comes first"
    )
    units = step_px * (1 << UNIT_BITS)
    if len(shakes) >= TOGETHER_FROM:
        return _walked_together(shakes, units)
    path = np.empty((shakes[0].samples, 2, len(shakes)), np.int32)
    total = np.empty((2, len(shakes)))
    for index, shake in enumerate(shakes):
        places = np.rint(_walked_alone(shake) * units)
        path[: shake.samples, :, index] = places.T
        total[:, index] = places.sum(axis=1)
    return path, total


def _walked_alone(shake: Shake) -> Doubles:
    """One trajectory, step by step: (2, n) places in steps."""
    ux, uy, x, y, pull = shake.start.real, shake.start.imag, 0.0, 0.0, shake.pull
    xs, ys = [x], [y]
    force = _normals()[shake.words] * shake.tremor
    force_x, force_y = force[::2].tolist(), force[1::2].tolist()
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
            ux = wx / length
            uy = wy / length
            x += ux
            y += uy
            add_x(x)
            add_y(y)
    return np.array([xs, ys])


def _walked_together(shakes: Sequence[Shake], units: float) -> tuple[Whole, Doubles]:
    """All trajectories take each step at once; those that have ended fall away."""
    samples = np.array([shake.samples for shake in shakes])
    path = np.empty((samples[0], 2, len(shakes)), np.int32)
    path[0] = 0
    total = np.zeros((2, len(shakes)))
    words = np.empty((len(shakes), 2 * (samples[0] - 1)), np.uint16)
    for row, shake in zip(words, shakes, strict=True):
        row[: len(shake.words)] = shake.words
    pull, tremor = (
        np.array(each) for each in zip(*((shake.pull, shake.tremor) for shake in shakes), strict=True)
    )
    u = np.array([[shake.start.real for shake in shakes], [shake.start.imag for shake in shakes]])
    x = np.zeros_like(u)
    turns: dict[int, list[tuple[int, float, float]]] = {}
    for index, shake in enumerate(shakes):
        for step, real, imaginary in shake.turns:
            turns.setdefault(step, []).append((index, real, imaginary))
    bounds = sorted({*range(0, samples[0] - 1, CHUNK), *(int(count) - 1 for count in samples)})
    for first, stop in pairwise(bounds):
        live = int(np.count_nonzero(samples > stop))
        if live < u.shape[1]:
            u, x, pull, tremor = u[:, :live].copy(), x[:, :live].copy(), pull[:live], tremor[:live]
        force = np.take(_normals(), words[:live, 2 * first : 2 * stop].T).reshape(-1, 2, live)
        force *= tremor
        places = _steps(u, x, pull, force, [turns.get(step, ()) for step in range(first, stop)])
        x = places[-1].copy()
        places *= units
        np.rint(places, out=places)
        path[first + 1 : stop + 1, :, :live] = places
        total[:, :live] += places.sum(axis=0)
    return path, total


def _steps(
    u: Doubles, x: Doubles, pull: Doubles, force: Doubles, turns: Sequence[Sequence[tuple[int, float, float]]]
) -> Doubles:
    """Take a few steps from x (2, B) in direction u, which is left as it is at the end; gives the
    places, (steps, 2, B), in place of the force.
    """
    # Flat, as numpy takes long to start on two axes.
    flat, pulls = u.reshape(-1), np.concatenate([pull, pull])
    ux, uy = u
    away, squares = np.empty_like(flat), np.empty_like(flat)
    length, other = squares[: len(pull)], squares[len(pull) :]
    here = np.ascontiguousarray(x).reshape(-1)
    for there, knocks in zip(force.reshape(len(force), -1), turns, strict=True):
        for index, real, imaginary in knocks:
            ux[index], uy[index] = (
                real * ux[index] - imaginary * uy[index],
                imaginary * ux[index] + real * uy[index],
            )
        np.add(flat, there, out=flat)
        np.multiply(pulls, here, out=away)
        np.subtract(flat, away, out=flat)
        np.multiply(flat, flat, out=squares)
        np.add(length, other, out=length)
        np.sqrt(length, out=length)
        np.divide(ux, length, out=ux)
        np.divide(uy, length, out=uy)
        np.add(here, flat, out=there)
        here = there
    return force


@cache
def _normals() -> Doubles:
    table = quantiles().astype(np.float64)
    table.setflags(write=False)
    return table
