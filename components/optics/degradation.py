"""One pair before a pixel is touched: everything that is drawn for it, from its seed alone.

Every random number of a pair comes from (its seed, what it is for), and the seed from (recipe seed,
photo's content, index): nothing depends on order, workers or the other photos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs import Blur, NoBlur, map_of
from components.optics.blurs.drawn_blur import Completable, Effect, Floats, Map
from components.optics.camera import Camera, Shot
from components.optics.downscale import Downscaling, Shrinking

if TYPE_CHECKING:
    from components.core.images import Pixels
    from components.core.records import MapKind


class Degradation(Part):
    """What is done to every photo of a set, with the ranges to draw from: one of the blurs, then a
    smaller size, then the camera.
    """

    blurs: tuple[Blur, ...]
    downscale: Downscaling | None
    camera: Camera


@dataclass(frozen=True)
class Plan:
    """What one pair will be: its blur, its size and its shot."""

    blur: Blur
    effect: Effect
    downscale: Shrinking | None
    shot: Shot

    @property
    def scale(self) -> int:
        """Size of the photo over that of the picture which is made."""
        return 1 if self.downscale is None else self.downscale.scale

    @property
    def kind(self) -> str:
        """The pair's `blur_kind`: the blur's own, or the downscale's where there is no blur beside
        it.
        """
        return (
            self.downscale.pair_kind
            if self.downscale is not None and isinstance(self.blur, NoBlur)
            else self.blur.kind
        )

    @property
    def severity_px(self) -> float:
        """RMS radius in px of the sharp photo: the blur's, and what the downscale takes beyond its
        size.
        """
        return (
            self.effect.severity_px
            if self.downscale is None
            else math.hypot(self.effect.severity_px, self.downscale.severity_px)
        )

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        small: dict[str, JsonValue] = {} if self.downscale is None else {"downscale": self.downscale.drawn}
        return {"blur": self.effect.drawn, **small, **self.shot.drawn}

    def with_maps(self, maps: Mapping[MapKind, Map]) -> Plan:
        """The plan for one photo: a blur that takes the photo's own map gets it, at the size of
        what will be blurred.
        """
        kind = map_of(self.blur)
        if kind is None:
            return self
        assert isinstance(self.effect, Completable), (
            f"{self.blur.kind} asks for a {kind}, and its effect takes none"
        )
        return replace(self, effect=self.effect.with_map(maps[kind]))

    def blurred(self, light: Floats) -> Pixels:
        """The picture a net is given, (h, w, 3) sRGB, uint8 or uint16, from (H, W) or (H, W, 3)
        light; smaller with downscale.
        """
        return self.shot.picture(self.exposure(light))

    def exposure(self, light: Floats) -> Floats:
        """The light that falls on the sensor: the scene's, with its highlights, blurred; smaller
        with downscale.
        """
        blurred = self.effect.apply(self.shot.recovered(light))
        return (
            blurred
            if self.downscale is None
            else self.downscale.apply(blurred, linear=self.shot.linear_light)
        )


def plans(degradation: Degradation, pair_seeds: Sequence[int]) -> list[Plan]:
    """Draw what each pair gets. A pair's plan is the same alone or among others; many at a time are
    faster.
    """
    weights = np.array([blur.weight for blur in degradation.blurs])
    chosen = [
        int(seeds.stream(seed, "kind").choice(len(weights), p=weights / weights.sum())) for seed in pair_seeds
    ]
    effects: dict[int, Effect] = {}
    for kind, blur in enumerate(degradation.blurs):
        mine = [place for place, pick in enumerate(chosen) if pick == kind]
        effects.update(
            zip(mine, blur.draw([seeds.stream(pair_seeds[place], "blur") for place in mine]), strict=True)
        )
    return [
        Plan(
            degradation.blurs[pick],
            effects[place],
            None if degradation.downscale is None else degradation.downscale.draw(seed),
            degradation.camera.shot(seed),
        )
        for place, (seed, pick) in enumerate(zip(pair_seeds, chosen, strict=True))
    ]
