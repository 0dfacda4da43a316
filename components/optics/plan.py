"""One pair before a pixel is touched: everything that is drawn for it, from its seed alone.

Every random number of a pair comes from (its seed, what it is for), and the seed from (recipe seed, photo's content, index):
nothing depends on order, workers or the other photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs import Blur, NoBlur
from components.optics.blurs.effect import Effect, Floats
from components.optics.camera import Camera, Shot
from components.optics.downscale import Downscale

if TYPE_CHECKING:
    from components.core.images import Pixels


class Degradation(Part):
    """What is done to every photo of a set, with the ranges to draw from: one of the blurs, then a smaller size, then the camera."""

    blurs: tuple[Blur, ...]
    downscale: Downscale | None
    camera: Camera


@dataclass(frozen=True)
class Plan:
    """What one pair will be: its blur, its size and its shot."""

    blur: Blur
    effect: Effect
    downscale: Downscale | None
    shot: Shot

    @property
    def scale(self) -> int:
        """Size of the photo over that of the picture which is made."""
        return 1 if self.downscale is None else self.downscale.scale

    @property
    def kind(self) -> str:
        """The pair's `blur_kind`: the blur's own, or downscale where there is no blur beside it."""
        return "downscale" if self.downscale is not None and isinstance(self.blur, NoBlur) else self.blur.kind

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        small: dict[str, JsonValue] = {} if self.downscale is None else {"downscale": self.downscale.model_dump(mode="json")}
        return {"blur": self.effect.drawn, **small, **self.shot.drawn}

    def blurred(self, light: Floats) -> Pixels:
        """The picture a net is given, (h, w, 3) sRGB, uint8 or uint16, from (H, W) or (H, W, 3) light; smaller with downscale."""
        return self.shot.picture(self.exposure(light))

    def exposure(self, light: Floats) -> Floats:
        """The light that falls on the sensor: the scene's, with its highlights, blurred; smaller with downscale."""
        blurred = self.effect.apply(self.shot.recovered(light))
        return blurred if self.downscale is None else self.downscale.apply(blurred)


def plans(degradation: Degradation, pair_seeds: Sequence[int]) -> list[Plan]:
    """Draw what each pair gets. A pair's plan is the same alone or among others; many at a time are faster."""
    weights = np.array([blur.weight for blur in degradation.blurs])
    chosen = [int(seeds.stream(seed, "kind").choice(len(weights), p=weights / weights.sum())) for seed in pair_seeds]
    effects: dict[int, Effect] = {}
    for kind, blur in enumerate(degradation.blurs):
        mine = [place for place, pick in enumerate(chosen) if pick == kind]
        effects.update(zip(mine, blur.draw([seeds.stream(pair_seeds[place], "blur") for place in mine]), strict=True))
    return [
        Plan(degradation.blurs[pick], effects[place], degradation.downscale, degradation.camera.shot(seed))
        for place, (seed, pick) in enumerate(zip(pair_seeds, chosen, strict=True))
    ]
