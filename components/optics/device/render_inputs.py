"""What the processor hands to the device for a part of a picture: a window of the photo, and
everything drawn, as arrays of fixed shapes.

Fixed, so that parts stack to batches, and so that a part comes out the same whatever else is in its
batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.degradation import Degradation, Plan
from components.optics.noise import origin
from components.optics.region import Box, blurred_light

if TYPE_CHECKING:
    from components.core.images import Pixels

Order = dict[str, npt.NDArray[Any]]

GRID_PX = 16  # of JPEG's blocks with halved colour
SMEAR_PX = 2  # how far enlarging the halved colour reaches beyond a block


@dataclass(frozen=True)
class Layout:
    """How much is made of a picture at each step for a square part of it, in px of the picture that
    is made; of the photo where it says so.
    """

    degradation: Degradation
    side: int

    @cached_property
    def shown(self) -> int:
        """Side of what is stored: whole blocks of the codec, wherever the part lies among them."""
        if self.degradation.camera.jpeg is None:
            return self.side
        return -(-(GRID_PX - 1 + self.side + 2 * SMEAR_PX) // GRID_PX) * GRID_PX

    @cached_property
    def sensor_reach(self) -> int:
        """How far the mosaic is looked at beyond that."""
        sensor = self.degradation.camera.sensor
        return 0 if sensor is None or sensor.bayer is None else 2

    @property
    def fallen(self) -> int:
        """Side of the light that falls on the sensor."""
        return self.shown + 2 * self.sensor_reach

    @property
    def scale(self) -> int:
        """Size of the photo over that of the picture which is made."""
        return 1 if self.degradation.downscale is None else self.degradation.downscale.scale

    @property
    def downscale_reach(self) -> int:
        """How far light is looked at beyond that to make the photo smaller."""
        return 0 if self.degradation.downscale is None else self.degradation.downscale.reach or 0

    @property
    def blurred(self) -> int:
        """Side, in px of the photo, of the light after the blur."""
        return (self.fallen + 2 * self.downscale_reach) * self.scale

    @cached_property
    def blur_reach(self) -> int:
        """How far any kernel reaches, in px of the photo."""
        return max(blur.largest_px for blur in self.degradation.blurs) // 2

    def boxes(self, top: int, left: int) -> tuple[Box, Box, Box]:
        """Of the part at (top, left): what is stored and what falls on the sensor, in px of the
        picture; the blurred light, in px of the photo.
        """
        if self.degradation.camera.jpeg is not None:
            top, left = (max(first - SMEAR_PX, 0) // GRID_PX * GRID_PX for first in (top, left))
        shown = Box(top, left, self.shown, self.shown)
        fallen = shown.grown(self.sensor_reach, self.sensor_reach)
        return shown, fallen, fallen.grown(self.downscale_reach, self.downscale_reach).times(self.scale)


def order_of(layout: Layout, plan: Plan, pixels: Pixels, top: int, left: int) -> Order:
    """One part, to be rendered.

    pixels: the photo as stored, (H, W) for grey or (H, W, 3); top, left: where the part begins in
    the picture that is made.
    """
    shown, fallen, blurred = layout.boxes(top, left)
    shot, grey = plan.shot, pixels.ndim == 2
    light, psf, recovery = _window(layout, plan, pixels, blurred)
    order: Order = {
        "light": np.repeat(light[:, :, None], 3, axis=2) if grey else light,
        "psf": psf,
        "photo": np.array([*pixels.shape[:2], blurred.top, blurred.left], np.int64),
        "fallen": np.array(
            [*(side // layout.scale for side in pixels.shape[:2]), fallen.top, fallen.left], np.int64
        ),
        "part": np.array([top - shown.top, left - shown.left], np.int64),
    }
    if shot.highlights is not None:
        order["recovery"] = recovery
    if shot.noise is not None:
        order |= {
            "noise": np.array([shot.noise.shot, shot.noise.read], np.float32),
            "key": np.array(origin(shot.seed), np.int64),
            "grey": np.array(grey),
        }
    if shot.sensor is not None:
        order |= {
            "to_raw": shot.sensor.to_raw,
            "to_srgb": shot.sensor.to_srgb,
            "gains": np.array(shot.sensor.gains, np.float32),
        }
        if shot.sensor.pattern is not None:
            order["red"] = np.array(shot.sensor.red_site(fallen.top, fallen.left), np.int64)
    if shot.jpeg_quality is not None:
        from components.optics.device.jpeg import tables_of

        order["tables"] = tables_of(shot.jpeg_quality)
    return order


def _window(layout: Layout, plan: Plan, pixels: Pixels, box: Box) -> tuple[npt.NDArray[Any], Floats, Floats]:
    """What is to be blurred, the kernel in the middle of a frame, and how highlights are recovered
    before.

    Stored pixels where they are 8 bits and the device blurs them; else light. A blur that is no
    kernel has been made here, and a point stands for it.
    """
    reach = layout.blur_reach
    frame = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    window = box.grown(reach, reach)
    if not isinstance(plan.effect, Kernel):
        frame[reach, reach] = 1
        seen = window.within(*pixels.shape[:2])
        rows = np.clip(np.arange(window.height) + window.top - seen.top, 0, seen.height - 1)
        columns = np.clip(np.arange(window.width) + window.left - seen.left, 0, seen.width - 1)
        return (
            blurred_light(plan, pixels, seen)[rows[:, None], columns],
            frame,
            np.array([0, 0.5], np.float32),
        )
    psf = plan.effect.psf
    down, across = (side // 2 for side in psf.shape)
    frame[reach - down : reach + down + 1, reach - across : reach + across + 1] = psf
    rows, columns = (
        _mirrored(first, count, side)
        for first, count, side in zip(
            (window.top, window.left), (window.height, window.width), pixels.shape, strict=False
        )
    )
    found = pixels[rows[:, None], columns]
    highlights = plan.shot.highlights
    recovery = np.array([0, 0.5] if highlights is None else [highlights.extra, highlights.knee], np.float32)
    return found if found.dtype == np.uint8 else _lit(plan, found), frame, recovery


def _mirrored(first: int, count: int, side: int) -> npt.NDArray[np.intp]:
    """`count` places from `first`, those beyond 0 to side − 1 mirrored at the border, whose pixel
    is not repeated.
    """
    places: npt.NDArray[np.intp] = np.abs(np.arange(first, first + count)) % (2 * side - 2)
    return np.minimum(places, 2 * side - 2 - places).astype(np.intp)


def _lit(plan: Plan, pixels: npt.NDArray[Any]) -> Floats:
    # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
    from components.optics.light import lit

    return lit(pixels, linear=plan.shot.linear_light)


def stacked(layout: Layout, orders: Sequence[Order]) -> Order:
    """Orders as one batch. Where not all windows are stored pixels, all become light."""
    from components.optics.light import lit

    linear = layout.degradation.camera.linear_light
    batch = {name: np.stack([order[name] for order in orders]) for name in orders[0] if name != "light"}
    windows = [order["light"] for order in orders]
    if any(window.dtype != np.uint8 for window in windows):
        windows = [lit(window, linear=linear) if window.dtype == np.uint8 else window for window in windows]
    return batch | {"light": np.stack(windows)}


def taken(layout: Layout, plan: Plan, channels: Literal[1, 3]) -> bool:
    """Whether the device can make the picture of a plan. Not WebP, nor 16 bits, nor an old print, nor a
    grey photo where others have a sensor of colours.

    Nor a downscale that goes through other sizes.
    """
    shot = plan.shot
    if plan.downscale is not None and plan.downscale.reach is None:
        return False
    return (
        shot.webp_quality is None
        and shot.bits == 8
        and shot.wear is None
        and (channels == 3 or layout.degradation.camera.sensor is None)
    )
