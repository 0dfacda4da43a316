"""Camera shake in six degrees of freedom: the camera turns and moves while the shutter is open, so
that each place blurs in its own way.

At time t the sharp photo is seen through the homography of a plane (Whyte et al. 2012, "Non-uniform
deblurring for shaken images", for the rotations; Hartley and Zisserman, "Multiple View Geometry",
eq. 13.2, for the plane at depth d):

    H(t) = K (R(t) + v(t) nᵀ / d) K⁻¹      K = diag(f, f, 1), the photo's middle at the origin, n = (0, 0, 1)

and the blurred photo is the mean of the photos so seen, in linear light. A small turn is nearly a
field of uniform kernels, so the mean is made as a filter flow on a grid that is as fine as the
shake demands, or photo by photo where even that would not do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect, Floats
from components.optics.blurs.hand import hand_paths
from components.optics.blurs.homography import homographies, seen_from
from components.optics.blurs.ranges import in_order
from components.optics.blurs.splat import splatted, trimmed

Doubles = npt.NDArray[np.float64]
Positive = Annotated[float, Field(gt=0, le=1e6)]

FILM_MM = 36.0  # long side of the frame that 35 mm equivalent focal lengths refer to
TIMES = 400  # of a path before it is thinned: 40 and more in each swing of the fastest tremor, up to 0.8 s
STEP_PX = 0.25  # between neighbouring samples, wherever in the photo they are furthest apart
# neighbouring kernels differ by no more: within 0.02 to 0.12 levels of 8-bit sRGB RMS of the mean
# of warped photos
CROSSFADE_PX = 0.7
# of an exposure: TIMES leave 11 samples in each swing of the fastest tremor; no hand holds still
# for longer
LONGEST_S = 3.0
UNIFORM_PX = 0.1  # less change over a whole axis is none
FINEST_PX = 20.0  # a finer grid would take longer than warping the photo for every sample


@dataclass(frozen=True)
class Shaken:
    """One drawn shake. A photo with a longer side than `long_side_px` gets the same blur in px at
    the same relative place.
    """

    poses: Doubles  # (n, 6): roll, pitch, yaw in rad; right, down, forward in depths of the scene
    weights: Doubles  # (n,) shares of the exposure, summing to 1
    focal_px: float
    long_side_px: int
    drawn: dict[str, JsonValue]

    @cached_property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes: (h, w) float32, both odd, summing to
        1.
        """
        return trimmed(splatted(self.displacements(np.zeros((1, 2))), self.weights)[0])

    @cached_property
    def severity_px(self) -> float:
        """RMS distance of a point's light from its centroid in px: the mean over 5 × 5 places of a
        3:2 frame of `long_side_px`.
        """
        moved = self.displacements(places_of(self.long_side_px, self.long_side_px * 2 / 3, 5))
        away = moved - np.einsum("mnk,n->mk", moved, self.weights)[:, None]
        return float(np.sqrt(np.einsum("mnk,n->m", away**2, self.weights)).mean())

    def displacements(self, places: Doubles, *, smaller: float = 1.0) -> Doubles:
        """Where each sample moves the light that ends at a place: (m, n, 2) px, its mean at the
        photo's centre removed.

        places: (m, 2) px from the photo's centre, x then y.
        smaller: long_side_px over the photo's long side, at most 1.
        """
        sources = self._sources(smaller)
        return places[:, None] - seen_from(sources, places)

    def _sources(self, smaller: float) -> Doubles:
        """(n, 3, 3): for each sample, where in the sharp photo the light of a place comes from."""
        inverse: Doubles = np.linalg.inv(homographies(self.poses * smaller, self.focal_px / smaller)).astype(
            np.float64
        )
        shift = self.weights @ seen_from(inverse, np.zeros((1, 2)))[0]
        centred: Doubles = np.array([[1.0, 0.0, -shift[0]], [0.0, 1.0, -shift[1]], [0.0, 0.0, 1.0]]) @ inverse
        return centred

    def apply(self, light: Floats) -> Floats:
        """Average what is seen over the exposure; borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.optics.blurs.filter_flow import convolved_by_place

        grid = self._grid(*light.shape[:2])
        if grid is None:
            return self.mean_of_warps(light)
        rows, columns, smaller = grid
        places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        kernels = splatted(self.displacements(places, smaller=smaller), self.weights)
        height, width = light.shape[:2]
        sides = kernels.shape[1:]
        return convolved_by_place(
            light,
            rows + (height - 1) / 2,
            columns + (width - 1) / 2,
            kernels.reshape(len(rows), len(columns), *sides),
        )

    def mean_of_warps(self, light: Floats) -> Floats:
        """The definition: warp the photo for every sample and average. Takes some 5 ms a sample and
        megapixel.
        """
        from components.optics.blurs.homography import mean_of_warps

        return mean_of_warps(light, self._sources(self._smaller(*light.shape[:2])), self.weights)

    def _smaller(self, height: int, width: int) -> float:
        return min(1.0, self.long_side_px / max(height, width))

    def _grid(self, height: int, width: int) -> tuple[Doubles, Doubles, float] | None:
        """Rows and columns of nodes, px from the centre, one of them in it; None where no grid is
        fine enough.
        """
        smaller, probes = self._smaller(height, width), 9
        moved = self.displacements(places_of(width, height, probes), smaller=smaller).reshape(
            probes, probes, -1, 2
        )
        axes = []
        for axis, length in ((0, height), (1, width)):
            change = (probes - 1) * float(np.linalg.norm(np.diff(moved, axis=axis), axis=-1).max())
            each_way = math.ceil(change / 2 / CROSSFADE_PX)
            axes.append(
                np.zeros(1) if change < UNIFORM_PX else np.linspace(-length / 2, length / 2, 2 * each_way + 1)
            )
        finest = math.prod(
            float(nodes[1] - nodes[0]) if nodes.size > 1 else length
            for nodes, length in zip(axes, (height, width), strict=True)
        )
        return (axes[0], axes[1], smaller) if finest >= FINEST_PX**2 else None


class CameraShake6DoF(Part):
    """Hand-held camera shake with rotation and translation (Whyte et al. 2012), over a plane at one
    depth.

    Its main strength is `turn_deg_per_s`: a hand of 1.7°/s blurs by the size of a pixel at 1280 px
    in 1 / focal length seconds.
    """

    kind: Literal["camera_shake_6dof"] = "camera_shake_6dof"
    weight: float = Field(1.0, gt=0, description="share of the pairs, relative to the other blurs")
    focal_mm: tuple[Positive, Positive] = Field(
        (24.0, 70.0),
        description="range of the focal length, 35 mm equivalent (36 mm is the photo's long side)",
    )
    long_side_px: int = Field(
        1280,
        ge=64,
        le=65536,
        description=(
            "long side of a whole frame: smaller photos are parts of its middle, larger ones get the same"
            " blur in px"
        ),
    )
    exposure_s: tuple[Positive, Positive] = Field((0.03, 0.4), description="range of the exposure")
    turn_deg_per_s: tuple[Positive, Positive] = Field(
        (1.0, 6.0), description="range of the hand's RMS speed of yaw and of pitch"
    )
    roll_deg_per_s: tuple[Positive, Positive] = Field(
        (0.5, 4.0), description="range of its RMS speed of roll"
    )
    drift_mm_per_s: tuple[Positive, Positive] = Field(
        (1.0, 10.0), description="range of its RMS speed along each axis"
    )
    depth_m: tuple[Positive, Positive] = Field(
        (0.7, 20.0), description="range of the distance of the scene, a plane"
    )
    tremor: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the motion's power that is tremor of 8 to 12 Hz; the rest is sway",
    )
    reach_px: int = Field(
        32,
        ge=4,
        le=512,
        description=(
            "no light goes further from its mean place; a path that would is made smaller, in proportion"
        ),
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(focal_mm=self.focal_mm, exposure_s=self.exposure_s, depth_m=self.depth_m)
        in_order(
            turn_deg_per_s=self.turn_deg_per_s,
            roll_deg_per_s=self.roll_deg_per_s,
            drift_mm_per_s=self.drift_mm_per_s,
        )
        if self.focal_mm[0] < 10:
            raise ValueError(
                f"focal_mm starts at {self.focal_mm[0]:g}, but a flat picture of so wide a view is no photo;"
                " start at 10 or more"
            )
        if self.exposure_s[1] > LONGEST_S:
            raise ValueError(
                f"exposure_s ends at {self.exposure_s[1]:g}, but nobody holds a camera for longer than"
                f" {LONGEST_S:g} s; end at {LONGEST_S:g} or less"
            )
        if 8 * self.reach_px > self.long_side_px:
            raise ValueError(
                f"reach_px is {self.reach_px}, more than an eighth of long_side_px {self.long_side_px};"
                f" lower reach_px to {self.long_side_px // 8} or raise long_side_px to {8 * self.reach_px}"
            )
        return self

    @property
    def largest_px(self) -> int:
        """No side of a kernel is longer than this."""
        return 2 * self.reach_px + 1

    def draw(self, rngs: Sequence[np.random.Generator]) -> list[Effect]:
        """One shake per generator."""
        return [self._shaken(rng) for rng in rngs]

    def _shaken(self, rng: np.random.Generator) -> Shaken:
        """Draw the settings, then the hand's six paths; thin them to samples that lie STEP_PX
        apart.
        """
        ranges = (
            self.focal_mm,
            self.exposure_s,
            self.turn_deg_per_s,
            self.roll_deg_per_s,
            self.drift_mm_per_s,
            self.depth_m,
        )
        focal_mm, exposure_s, turn, roll, drift, depth_m = (
            low * (high / low) ** u for (low, high), u in zip(ranges, rng.random(6), strict=True)
        )
        speeds = np.array([*np.radians([roll, turn, turn]), *[drift / 1000 / depth_m] * 3])
        path = (
            hand_paths(rng, paths=6, times_s=np.linspace(0, exposure_s, TIMES), tremor=self.tremor) * speeds
        )
        focal_px = focal_mm / FILM_MM * self.long_side_px
        path, shrunk = self._within_reach(path, focal_px)
        poses, weights = _thinned(path, focal_px, self.long_side_px)
        drawn: dict[str, JsonValue] = {
            "focal_mm": focal_mm,
            "exposure_s": exposure_s,
            "turn_deg_per_s": turn,
            "roll_deg_per_s": roll,
            "drift_mm_per_s": drift,
            "depth_m": depth_m,
            "made_smaller": shrunk,
            "extent_deg": [float(extent) for extent in np.degrees(np.ptp(path[:, :3], axis=0))],
            "extent_mm": [float(extent) * 1000 * depth_m for extent in np.ptp(path[:, 3:], axis=0)],
        }
        return Shaken(poses, weights, focal_px, self.long_side_px, drawn)

    def _within_reach(self, path: Doubles, focal_px: float) -> tuple[Doubles, float]:
        """The path, smaller by the factor that keeps every light of a square frame within reach,
        and the factor (1: as it was).
        """
        places = places_of(self.long_side_px, self.long_side_px, 3)
        even = np.full(len(path), 1 / len(path))
        # A path of wild turns has no homographies; shrunk to a tenth of a radian it has, and the
        # factor follows from there.
        factor = min(1.0, 0.1 / float(np.abs(path).max()))
        for _ in range(4):
            moved = float(
                np.abs(
                    Shaken(path * factor, even, focal_px, self.long_side_px, {}).displacements(places)
                ).max()
            )
            # Up to the last pixel of the largest kernel, which the splat rounds up to.
            wanted = min(1.0, factor * (self.reach_px - 0.01) / moved)
            if wanted == factor:
                break
            factor = wanted
        return path * factor, factor


def places_of(width: float, height: float, each_way: int) -> Doubles:
    """A regular grid of places over a frame, its corners included: (each_way², 2) px from the
    centre, x then y, row by row.
    """
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, each_way), np.linspace(-height / 2, height / 2, each_way)
    )
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def _thinned(path: Doubles, focal_px: float, long_side_px: int) -> tuple[Doubles, Doubles]:
    """Means of the path's successive stretches of STEP_PX, and the share of the time spent on each."""
    moved = seen_from(homographies(path, focal_px), places_of(long_side_px, long_side_px, 3))
    steps = np.linalg.norm(np.diff(moved, axis=1), axis=-1).max(axis=0)
    arc = np.concatenate([[0.0], np.cumsum(steps)])
    stretch = (arc / STEP_PX).astype(np.intp)
    times = np.bincount(stretch)
    sums = np.stack([np.bincount(stretch, weights=coordinate) for coordinate in path.T], axis=1)
    kept = times > 0
    return sums[kept] / times[kept, None], times[kept] / len(path)
