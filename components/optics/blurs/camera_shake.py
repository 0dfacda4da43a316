"""Camera shake in six degrees of freedom: the camera turns and moves while the shutter is open, so
that each place blurs in its own way.

A hand's six paths are drawn and thinned to samples; drawn_shake.py makes the photo's blur of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Effect
from components.optics.blurs.drawn_shake import Doubles, Shaken, places_of
from components.optics.blurs.hand import hand_paths
from components.optics.blurs.homography import homographies, seen_from
from components.optics.blurs.ranges import in_order

Positive = Annotated[float, Field(gt=0, le=1e6)]

FILM_MM = 36.0  # long side of the frame that 35 mm equivalent focal lengths refer to
TIMES = 400  # of a path before it is thinned: 40 and more in each swing of the fastest tremor, up to 0.8 s
STEP_PX = 0.25  # between neighbouring samples, wherever in the photo they are furthest apart
# of an exposure: TIMES leave 11 samples in each swing of the fastest tremor; no hand holds still
# for longer
LONGEST_S = 3.0


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
