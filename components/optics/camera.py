"""From light to a stored picture, as a camera makes it. Every step can be off.

Order: linear light → highlights recovered → blur → clip → an old print's wear → camera colours, white
balance undone, Bayer mosaic → noise → clip → white balance, demosaic, colours back → sRGB, 8 or 16 bits
→ JPEG or WebP. A step is a part with its ranges and `draw`, a field of `Camera`, and a field of `Shot` that
holds what was drawn. All of them on, each at its defaults:

    camera: {highlights: {}, wear: {}, sensor: {}, noise: {}, jpeg: {}, webp: {}}
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from components.core import seeds
from components.core.parts import Part
from components.optics.blurs.drawn_blur import Floats
from components.optics.codec import GRID_PX, LARGEST_PX, Jpeg, WebP, on_grid
from components.optics.highlights import Highlights, Recovery
from components.optics.sensor import Sensor, SensorShot
from components.optics.sensor_noise import NoiseLevel, PoissonGaussian
from components.optics.wear import Wear, WornPrint

if TYPE_CHECKING:
    from components.core.images import Pixels
    from components.optics.develop import Mask


@dataclass(frozen=True)
class Shot:
    """One pair's way from light to a stored picture, all drawn."""

    seed: int
    linear_light: bool
    noise: NoiseLevel | None
    jpeg_quality: int | None
    highlights: Recovery | None = None
    sensor: SensorShot | None = None
    webp_quality: int | None = None
    bits: Literal[8, 16] = 8
    wear: WornPrint | None = None

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Every parameter, for the pair's row."""
        return {
            "linear_light": self.linear_light,
            "highlights": None if self.highlights is None else asdict(self.highlights),
            "sensor": None if self.sensor is None else self.sensor.drawn,
            "noise": None if self.noise is None else asdict(self.noise),
            "jpeg_quality": self.jpeg_quality,
            "webp_quality": self.webp_quality,
            "bits": self.bits,
            **({} if self.wear is None else {"wear": self.wear.drawn}),
        }

    @property
    def reach_px(self) -> int | None:
        """How far a pixel of `picture` looks: a part of a photo is that of the whole photo but for
        a border as wide.

        None with WebP, which predicts each block from those before: no part is ever quite that of
        the whole.
        """
        if self.webp_quality is not None:
            return None
        return (0 if self.sensor is None else self.sensor.reach_px) + (
            0 if self.jpeg_quality is None else GRID_PX
        )

    def recovered(self, light: Floats) -> Floats:
        """The scene's light before the blur: that of clipped pixels restored; any shape, each pixel
        by itself.
        """
        return light if self.highlights is None else self.highlights.recovered(light)

    def clipped(self, light: Floats) -> tuple[Floats, Mask | None]:
        """Blurred light as the sensor can tell it, at most 1, and where it is full; without
        highlights, as it is.
        """
        return (light, None) if self.highlights is None else (np.minimum(light, np.float32(1)), light >= 1)

    def picture(self, light: Floats, *, top: int = 0, left: int = 0) -> Pixels:
        """(H, W, 3) uint8 or uint16 sRGB from blurred (H, W) or (H, W, 3) light: a whole photo, or
        the part of one that begins at (top, left).
        """
        # OpenCV takes a tenth of a second to import; settings alone must not wait for it.
        from components.core.images import jpeg_roundtrip, webp_roundtrip
        from components.optics.develop import developed, noisy
        from components.optics.light import stored

        light, full = self.clipped(light)
        if self.wear is not None:
            light = self.wear.worn(light, top=top, left=left)
        if self.sensor is not None and light.ndim == 3:
            light = developed(light, self.sensor, self.noise, self.seed, full, top=top, left=left)
        else:
            light = noisy(light, self.noise, self.seed, full, top=top, left=left)
        pixels = stored(light, linear=self.linear_light, bits=self.bits)
        for quality, roundtrip in ((self.jpeg_quality, jpeg_roundtrip), (self.webp_quality, webp_roundtrip)):
            if quality is not None:
                pixels = on_grid(partial(roundtrip, quality=quality), pixels, top, left)
        return pixels


class Camera(Part):
    """From light to a stored picture; null turns a step off."""

    linear_light: bool = Field(
        True,
        description=(
            "blur and noise in linear light; false works on sRGB values, as older code does (for comparison)"
        ),
    )
    highlights: Highlights | None = Field(
        None, description="light of clipped pixels, before the blur; clipped again after it"
    )
    wear: Wear | None = Field(
        None,
        exclude_if=lambda wear: wear is None,  # so that sets without it keep their digest
        description="what time did to a print of the photo before it is taken: fading, yellowing, scratches",
    )
    sensor: Sensor | None = Field(
        None, description="camera colours, white balance and Bayer mosaic, around the noise"
    )
    noise: PoissonGaussian | None = Field(default_factory=PoissonGaussian, description="sensor noise")
    jpeg: Jpeg | None = Field(default_factory=Jpeg, description="JPEG compression of the blurred picture")
    webp: WebP | None = Field(
        None, description="WebP compression; with jpeg beside it, each pair gets one of the two, by weight"
    )
    bits: Literal[8, 16] = Field(
        8,
        description=(
            "bits a channel of both stored pictures of a pair, PNG; 16 leaves no room for jpeg and webp"
        ),
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name in ("highlights", "sensor"):
            if getattr(self, name) is not None and not self.linear_light:
                raise ValueError(
                    f"{name} reckons with linear light: set linear_light to true, or {name} to null"
                )
        for name in ("jpeg", "webp"):
            if getattr(self, name) is not None and self.bits == 16:
                raise ValueError(f"bits is 16, and {name} stores 8: set {name} to null, or bits to 8")
        return self

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps that are on."""
        return tuple(
            name
            for name in ("highlights", "wear", "sensor", "noise", "jpeg", "webp")
            if getattr(self, name) is not None
        )

    @property
    def codecs(self) -> tuple[str, ...]:
        """Names of the codecs that are on."""
        return tuple(name for name in LARGEST_PX if name in self.steps)

    @property
    def largest_px(self) -> int | None:
        """No side of a photo may be longer, for the codecs; None: any."""
        return min((LARGEST_PX[name] for name in self.codecs), default=None)

    def shot(self, seed: int) -> Shot:
        """Draw one pair's steps, each from its own stream: turning one off changes no other."""
        jpeg, webp = self._codec(seed)
        return Shot(
            seed,
            self.linear_light,
            None if self.noise is None else self.noise.draw(seeds.stream(seed, "noise level")),
            None if jpeg is None else jpeg.draw(seeds.stream(seed, "jpeg quality")),
            None if self.highlights is None else self.highlights.draw(seeds.stream(seed, "highlights")),
            None if self.sensor is None else self.sensor.draw(seed),
            None if webp is None else webp.draw(seeds.stream(seed, "webp quality")),
            self.bits,
            None if self.wear is None else self.wear.draw(seed),
        )

    def _codec(self, seed: int) -> tuple[Jpeg | None, WebP | None]:
        """At most one of the two. A photo on the web was stored by one or the other, and a net for
        users' photos must know both: hence the weights.
        """
        if self.jpeg is None or self.webp is None:
            return self.jpeg, self.webp
        share = self.jpeg.weight / (self.jpeg.weight + self.webp.weight)
        return (self.jpeg, None) if seeds.stream(seed, "codec").random() < share else (None, self.webp)
