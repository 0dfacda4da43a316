"""One drawn camera shake, and what it does to a photo.

At time t the photo is seen through the homography of a plane (Whyte et al. 2012, "Non-uniform
deblurring for shaken images", for the rotations; Hartley and Zisserman, "Multiple View Geometry",
eq. 13.2, for the plane at depth d):

    H(t) = K (R(t) + v(t) nᵀ / d) K⁻¹      K = diag(f, f, 1), the photo's middle at the origin, n = (0, 0, 1)

and the blurred photo is the mean of the photos so seen, in linear light. A small turn is nearly a
field of uniform kernels, so the mean is made as a filter flow on a grid that is as fine as the
shake demands, or photo by photo where even that would not do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.homography import homographies, seen_from
from components.optics.blurs.splat import splatted, trimmed

Doubles = npt.NDArray[np.float64]

# neighbouring kernels differ by no more: within 0.02 to 0.12 levels of 8-bit sRGB RMS of the mean
# of warped photos
CROSSFADE_PX = 0.7
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


def places_of(width: float, height: float, each_way: int) -> Doubles:
    """A regular grid of places over a frame, its corners included: (each_way², 2) px from the
    centre, x then y, row by row.
    """
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, each_way), np.linspace(-height / 2, height / 2, each_way)
    )
    return np.stack([x, y], axis=-1).reshape(-1, 2)
