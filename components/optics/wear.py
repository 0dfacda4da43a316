"""What time does to a print before somebody scans it: it fades, yellows and is scratched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.blurs.ranges import in_order

CELL_PX = 64  # scratches are drawn by cells of the photo, so that any part of it has its own
LONGEST_PX = CELL_PX
SHARE = Annotated[float, Field(ge=0, le=1)]
DENSITY = Annotated[float, Field(ge=0, le=2000)]
PX = Annotated[float, Field(ge=0.5, le=8)]


@dataclass(frozen=True)
class WornPrint:
    """What one pair's print went through."""

    seed: int
    contrast: float  # share of it that is left
    paper: float  # of the light of white: what black has faded to
    yellowing: float  # share of blue that is lost, of green half as much
    scratches: float  # a megapixel
    width_px: float

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        told: dict[str, JsonValue] = asdict(self)
        told.pop("seed")
        return told

    def worn(self, light: Floats, *, top: int = 0, left: int = 0) -> Floats:
        """(H, W) or (H, W, 3) light of a photo, or of the part of it that begins at (top, left)."""
        faded = self.paper + light * np.float32(self.contrast)
        if light.ndim == 3:
            faded *= np.array([1, 1 - self.yellowing / 2, 1 - self.yellowing], np.float32)
        bare = self._bare(light.shape[0], light.shape[1], top, left)
        if light.ndim == 3:
            bare = bare[:, :, None]
        result: Floats = (faded + (np.float32(1) - faded) * bare).astype(np.float32)
        return result

    def _bare(self, height: int, width: int, top: int, left: int) -> Floats:
        """Where a scratch has laid the paper bare: 0 nowhere to 1, (height, width)."""
        bare = np.zeros((height, width), np.float32)
        margin = LONGEST_PX + 8
        for row in range((top - margin) // CELL_PX, (top + height + margin) // CELL_PX + 1):
            for column in range((left - margin) // CELL_PX, (left + width + margin) // CELL_PX + 1):
                rng = seeds.stream(self.seed, "scratches", row, column)
                for _ in range(rng.poisson(self.scratches * CELL_PX**2 / 1e6)):
                    x, y, angle, length, depth = rng.random(5)
                    _scratch(
                        bare,
                        (row + y) * CELL_PX - top,
                        (column + x) * CELL_PX - left,
                        angle * np.pi,
                        (0.2 + 0.8 * length) * LONGEST_PX,
                        self.width_px,
                        0.5 + 0.5 * depth,
                    )
        return bare


def _scratch(
    bare: Floats, y: float, x: float, angle: float, length: float, width: float, depth: float
) -> None:
    """Draw one straight scratch from (y, x) on, with edges a px wide."""
    down, right = np.sin(angle), np.cos(angle)
    ends_y, ends_x = sorted((y, y + down * length)), sorted((x, x + right * length))
    rows = slice(max(int(ends_y[0] - width - 1), 0), min(int(ends_y[1] + width + 2), bare.shape[0]))
    columns = slice(max(int(ends_x[0] - width - 1), 0), min(int(ends_x[1] + width + 2), bare.shape[1]))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    to_y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] - y
    to_x = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :] - x
    along = (to_y * down + to_x * right).clip(0, length)
    away = np.hypot(to_y - along * down, to_x - along * right)
    part = depth * (width / 2 + 0.5 - away).clip(0, 1).astype(np.float32)
    np.maximum(bare[rows, columns], part, out=bare[rows, columns])


class Wear(Part):
    """An old print (no published model; ranges looked at): faded towards the paper, yellow, scratched.
    Before the noise of whatever photographs or scans it.
    """

    contrast: tuple[SHARE, SHARE] = Field((0.5, 0.9), description="range of the share that is left of it")
    paper: tuple[SHARE, SHARE] = Field(
        (0.02, 0.08), description="range of the light that black has faded to, of white's"
    )
    yellowing: tuple[SHARE, SHARE] = Field(
        (0.0, 0.3), description="range of the share of blue that is lost; of green half as much"
    )
    scratches: tuple[DENSITY, DENSITY] = Field((50, 300), description="range of their number a megapixel")
    width_px: tuple[PX, PX] = Field((0.8, 2.0), description="range of a photo's scratches' width")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        in_order(**{name: getattr(self, name) for name in type(self).model_fields})
        if self.contrast[1] + self.paper[1] > 1:
            raise ValueError(
                f"contrast up to {self.contrast[1]:g} and paper up to {self.paper[1]:g} are brighter than"
                f" white together: lower contrast to {1 - self.paper[1]:g}"
            )
        return self

    def draw(self, seed: int) -> WornPrint:
        """One pair's."""
        rng = seeds.stream(seed, "wear")
        values = {
            name: float(rng.uniform(*getattr(self, name)))
            for name in ("contrast", "paper", "yellowing", "scratches", "width_px")
        }
        return WornPrint(seed, **values)
