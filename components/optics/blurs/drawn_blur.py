"""What a kind of blur draws: something that blurs light and says what it is. A Kernel is the one
that is the same everywhere in the photo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

Floats = npt.NDArray[np.float32]


class Effect(Protocol):
    """One drawn blur, ready to be applied to a photo of any size."""

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter that was drawn, for the pair's row."""
        ...

    @property
    def psf(self) -> Floats:
        """What a bright point at the photo's centre becomes: (h, w) float32, both odd, never
        negative, summing to 1.
        """
        ...

    @property
    def severity_px(self) -> float:
        """How far the light is spread: RMS distance from its centroid in px."""
        ...

    def apply(self, light: Floats) -> Floats:
        """Blur (H, W) or (H, W, C) float32 light; the result has the same shape."""
        ...


@dataclass(frozen=True)
class Map:
    """What is known of each pixel of a photo."""

    # (H, W); a mask: 0 background to 1 foreground; a depth map: 1/distance in 1/m, 0 where
    # infinitely far or unknown
    values: Floats
    sha256: str  # of the file it comes from

    @property
    def words(self) -> str:
        """The file, for a pair's row."""
        return self.sha256[:16]


@runtime_checkable
class Completable(Protocol):
    """A drawn blur that a photo's own map completes: `map_of` says which. Without it, what is drawn
    stands in.
    """

    def with_map(self, brought: Map) -> Effect:
        """The blur of the photo that the map is of, at the size of the map."""
        ...


@dataclass(frozen=True)
class Kernel:
    """A point spread function (PSF) that holds for the whole photo: the picture of one bright
    point.
    """

    psf: Floats
    drawn: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def centroid_px(self) -> tuple[float, float]:
        """(x, y) of the light's centre, measured from the middle pixel: the shift the blur gives
        the photo.
        """
        rows, columns = _offsets(self.psf)
        mass = self.psf.astype(np.float64)
        total = mass.sum()
        return float(mass.sum(0) @ columns / total), float(mass.sum(1) @ rows / total)

    @property
    def severity_px(self) -> float:
        """RMS distance of the light from its centroid in px; 0 for a point."""
        rows, columns = _offsets(self.psf)
        x, y = self.centroid_px
        mass = self.psf.astype(np.float64)
        return float(np.sqrt((mass.sum(0) @ (columns - x) ** 2 + mass.sum(1) @ (rows - y) ** 2) / mass.sum()))

    def apply(self, light: Floats) -> Floats:
        """Convolve: every point of the photo becomes the PSF as it is drawn (not mirrored). Borders
        are reflected.
        """
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.optics.blurs.convolve import convolved

        return convolved(light, self.psf)


def _offsets(psf: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row and column numbers counted from the middle pixel."""
    height, width = psf.shape
    return np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
