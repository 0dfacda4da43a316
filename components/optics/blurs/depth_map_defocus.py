"""Defocus by a photo's own depth map: the lens is focused on one of the distances in it, and all
others blur as the thin lens says.

The radius is linear in 1/distance (depth.py), so only its factor, which is made of aperture, focal
length and pixel, is to be drawn: here by how large the radius becomes where the photo is farthest
out of focus. So no setting has to know the camera, or the unit of the depths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import JsonValue

from components.optics.blurs.aperture import Aperture
from components.optics.blurs.drawn_blur import Floats, Kernel, Map


@dataclass(frozen=True, kw_only=True)
class Unfocused(Kernel):
    """A lens to be focused by a depth map; until then its psf is that of what is farthest out of
    focus, everywhere.
    """

    aperture: Aperture
    radius_px: float  # where the photo is farthest out of focus
    focus: float  # share of the photo that is nearer than what is sharp, 0 to 1

    def with_map(self, brought: Map) -> Focused:
        """Focus on one of the photo's distances."""
        near = np.quantile(brought.values, 1 - self.focus, method="nearest")
        off = near - brought.values
        farthest = float(np.abs(off).max())
        radii = off * np.float32(self.radius_px / farthest) if farthest else off
        return Focused(
            self.aperture,
            radii,
            self.drawn | {"focus_m": float(1 / near) if near else None, "depth": brought.words},
        )


@dataclass(frozen=True)
class Focused:
    """A lens focused within a photo of known depths."""

    aperture: Aperture
    radii_px: Floats  # (H, W), negative nearer than the focus
    drawn: dict[str, JsonValue]  # focus_m: None where what is sharp is infinitely far

    @property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes."""
        height, width = self.radii_px.shape
        return self.aperture.kernel(float(self.radii_px[height // 2, width // 2]))

    @cached_property
    def severity_px(self) -> float:
        """RMS radius over the photo: the root of the mean square of all pixels' own."""
        from components.optics.blurs import depth

        return depth.severity_px(self.radii_px.astype(np.float64), self.aperture)

    def apply(self, light: Floats) -> Floats:
        """Blur the photo that the depths are of; borders are reflected."""
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.optics.blurs import depth

        return depth.apply_with_depth(light, self.radii_px, self.aperture)
