"""A clip out of one photo: a hand holds a camera before it, and every frame is blurred by the stretch of
its path in which the shutter was open. The shake so goes on from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.hand import hand_paths
from components.optics.blurs.homography import homographies, mean_of_warps, seen_from
from components.optics.blurs.ranges import in_order
from components.optics.video_codec import VideoCodec

Doubles = npt.NDArray[np.float64]
Positive = Annotated[float, Field(gt=0, le=1e6)]

FILM_MM = 36.0  # long side of the frame that 35 mm equivalent focal lengths refer to
STEP_PX = 0.5  # between neighbouring samples of an exposure, where they are furthest apart
FEWEST, MOST = 3, 65  # samples of an exposure; odd, so that one is in its middle
PROBES = 3  # places each way that motion is measured at


class ClipShake(Part):
    """Frames of a hand-held video of a photo: rotation about three axes (Whyte et al. 2012) by a hand's
    sway and tremor, with a slow pan.
    """

    frames: int = Field(9, ge=3, le=300, description="frames of a clip")
    fps: float = Field(30.0, gt=0, le=1000, description="frames a second")
    shutter: tuple[float, float] = Field(
        (0.4, 1.0), description="range of the share of a frame's time in which it is exposed"
    )
    focal_mm: tuple[Positive, Positive] = Field(
        (24.0, 70.0),
        description="range of the focal length, 35 mm equivalent (36 mm is the photo's long side)",
    )
    long_side_px: int = Field(
        1280,
        ge=64,
        le=65536,
        description="long side of a whole frame: smaller photos are parts of its middle",
    )
    turn_deg_per_s: tuple[Positive, Positive] = Field(
        (1.0, 8.0), description="range of the hand's RMS speed of yaw and of pitch"
    )
    roll_deg_per_s: tuple[Positive, Positive] = Field(
        (0.5, 4.0), description="range of its RMS speed of roll"
    )
    pan_deg_per_s: tuple[float, float] = Field(
        (0.0, 6.0), description="range of the speed of an even turn, in a direction of its own"
    )
    tremor: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the motion's power that is tremor of 8 to 12 Hz; the rest is sway",
    )
    codec: VideoCodec | None = Field(
        None, description="what is lost when the camera writes video; null: its frames stay as they are"
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        in_order(shutter=self.shutter, focal_mm=self.focal_mm, pan_deg_per_s=self.pan_deg_per_s)
        in_order(turn_deg_per_s=self.turn_deg_per_s, roll_deg_per_s=self.roll_deg_per_s)
        if not 0 < self.shutter[0] <= self.shutter[1] <= 1:
            raise ValueError(
                f"shutter is [{self.shutter[0]:g}, {self.shutter[1]:g}]: shares of a frame's time lie above 0"
                " and go to 1"
            )
        if self.pan_deg_per_s[0] < 0:
            raise ValueError(f"pan_deg_per_s starts at {self.pan_deg_per_s[0]:g}: a speed is not below 0")
        return self

    def draw(self, rng: np.random.Generator) -> ShakenClip:
        """One clip's path."""
        ranges = (self.focal_mm, self.turn_deg_per_s, self.roll_deg_per_s)
        focal_mm, turn, roll = (
            low * (high / low) ** u for (low, high), u in zip(ranges, rng.random(3), strict=True)
        )
        shutter, pan = (
            low + (high - low) * u
            for (low, high), u in zip((self.shutter, self.pan_deg_per_s), rng.random(2), strict=True)
        )
        direction = rng.random() * 2 * np.pi
        middles = np.arange(self.frames) / self.fps
        offsets = np.linspace(-0.5, 0.5, MOST) * shutter / self.fps
        times = (middles[:, None] + offsets).ravel()
        path = hand_paths(rng, paths=3, times_s=times, tremor=self.tremor) * np.radians([roll, turn, turn])
        panned = np.radians(pan) * (times - times.mean())
        path[:, 1:] += panned[:, None] * np.array([np.sin(direction), np.cos(direction)])
        drawn: dict[str, JsonValue] = {
            "fps": self.fps,
            "shutter": shutter,
            "focal_mm": focal_mm,
            "turn_deg_per_s": turn,
            "roll_deg_per_s": roll,
            "pan_deg_per_s": pan,
        }
        return ShakenClip(
            path.reshape(self.frames, MOST, 3),
            focal_mm / FILM_MM * self.long_side_px,
            self.long_side_px,
            drawn,
        )


@dataclass(frozen=True)
class ShakenClip:
    """One drawn clip."""

    path: Doubles  # (frames, MOST, 3): roll, pitch, yaw in rad while each frame is exposed
    focal_px: float
    long_side_px: int
    drawn: dict[str, JsonValue]

    @cached_property
    def severities_px(self) -> Sequence[float]:
        """Of each frame the RMS distance of a point's light from its centroid in px, a mean over a 3:2
        frame.
        """
        places = _places(self.long_side_px, self.long_side_px * 2 / 3)
        found = []
        for number in range(len(self.path)):
            seen = seen_from(self._sources(number), places)
            away = seen - seen.mean(axis=1, keepdims=True)
            found.append(float(np.sqrt((away**2).sum(axis=2).mean(axis=1)).mean()))
        return found

    def sharp(self, light: Floats, number: int) -> Floats:
        """The view in the middle of a frame's exposure: same shape as the light, borders reflected."""
        import cv2

        (source,) = self._sources(number)[MOST // 2 : MOST // 2 + 1]
        height, width = light.shape[:2]
        to_corner = np.array([[1.0, 0.0, (width - 1) / 2], [0.0, 1.0, (height - 1) / 2], [0.0, 0.0, 1.0]])
        seen = cv2.warpPerspective(
            light,
            to_corner @ source @ np.linalg.inv(to_corner),
            (width, height),
            # Straight lines between px would make the target softer than the photo.
            flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return np.asarray(np.clip(seen, 0, None), dtype=np.float32).reshape(light.shape)

    def blurred(self, light: Floats, number: int) -> Floats:
        """The mean of all that is seen while a frame is exposed; borders reflected."""
        sources = self._sources(number)
        moved = seen_from(sources, _places(light.shape[1], light.shape[0]))
        length = float(np.linalg.norm(np.diff(moved, axis=1), axis=2).sum(axis=1).max())
        every = max(1, (MOST - 1) // max(FEWEST - 1, int(length / STEP_PX)))
        while (MOST - 1) % every:
            every -= 1
        shown = sources[::every]
        # Of a path that is walked from end to end the ends count half.
        weights = np.ones(len(shown))
        weights[[0, -1]] = 0.5
        return mean_of_warps(light, shown, weights / weights.sum())

    def _sources(self, number: int) -> Doubles:
        poses = np.concatenate([self.path[number], np.zeros((MOST, 3))], axis=1)
        found: Doubles = np.linalg.inv(homographies(poses, self.focal_px)).astype(np.float64)
        return found


def _places(width: float, height: float) -> Doubles:
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, PROBES), np.linspace(-height / 2, height / 2, PROBES)
    )
    return np.stack([x, y], axis=-1).reshape(-1, 2)
