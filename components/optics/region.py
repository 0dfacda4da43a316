"""A part of the picture that a plan makes: the pixels of the whole, cut out, for a share of the
work.

Every step needs so much around a pixel: the blur its kernel's reach, a smaller size the reach of
its weights, the camera its mosaic and its codec's blocks. What is asked for grows backwards through
them, stops at the photo's borders, where each step mirrors as it does on the whole photo, and is
then made forwards.

A blur that is no `Kernel` changes from place to place and is made for the whole photo first: a part
then costs what the whole costs. So do WebP, which predicts each block from those before, and
downscale second_order, which goes through other sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.degradation import Plan

if TYPE_CHECKING:
    from components.core.images import Pixels


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels within, or beyond, a picture."""

    top: int
    left: int
    height: int
    width: int

    def grown(self, rows: int, columns: int) -> Box:
        """The box with so much more on each of two sides."""
        return Box(self.top - rows, self.left - columns, self.height + 2 * rows, self.width + 2 * columns)

    def times(self, scale: int) -> Box:
        """The box of the same place in a picture `scale` times larger."""
        return Box(self.top * scale, self.left * scale, self.height * scale, self.width * scale)

    def within(self, height: int, width: int) -> Box:
        """What of it lies in a picture of that size."""
        top, left = max(self.top, 0), max(self.left, 0)
        return Box(
            top, left, min(self.top + self.height, height) - top, min(self.left + self.width, width) - left
        )

    def of(self, outer: Box) -> tuple[slice, slice]:
        """Its rows and columns, counted from the corner of a box that holds it."""
        top, left = self.top - outer.top, self.left - outer.left
        return slice(top, top + self.height), slice(left, left + self.width)


def part_of(plan: Plan, pixels: Pixels, box: Box) -> Pixels:
    """`plan.blurred` of a whole photo, cut to the box, bit for bit.

    pixels: the photo as stored, (H, W) for grey or (H, W, 3), uint8 or uint16; with downscale H and
    W are multiples of the scale.
    box: within the picture that is made, which is smaller than the photo with downscale.
    Returns (box.height, box.width, 3), uint8 or uint16 as the camera stores.
    """
    height, width = (side // plan.scale for side in pixels.shape[:2])
    reach = plan.shot.reach_px
    seen = Box(0, 0, height, width) if reach is None else box.grown(reach, reach).within(height, width)
    return plan.shot.picture(_fallen(plan, pixels, seen), top=seen.top, left=seen.left)[box.of(seen)]


def _fallen(plan: Plan, pixels: Pixels, box: Box) -> Floats:
    """The light that falls on the sensor in a box."""
    if plan.downscale is None:
        return blurred_light(plan, pixels, box)
    whole, reach = Box(0, 0, *(side // plan.scale for side in pixels.shape[:2])), plan.downscale.reach
    around = whole if reach is None else box.grown(reach, reach).within(whole.height, whole.width)
    light = blurred_light(plan, pixels, around.times(plan.scale))
    return np.ascontiguousarray(plan.downscale.apply(light, linear=plan.shot.linear_light)[box.of(around)])


def blurred_light(plan: Plan, pixels: Pixels, box: Box) -> Floats:
    """The photo's light after the blur, in a box of the photo: (box.height, box.width) or the same
    with channels, float32.
    """
    # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
    from components.optics.light import lit

    whole = Box(0, 0, *pixels.shape[:2])
    needed = whole
    if isinstance(plan.effect, Kernel):
        needed = box.grown(*(side // 2 for side in plan.effect.psf.shape)).within(whole.height, whole.width)
    light = lit(np.ascontiguousarray(pixels[needed.of(whole)]), linear=plan.shot.linear_light)
    return np.ascontiguousarray(plan.effect.apply(plan.shot.recovered(light))[box.of(needed)])
