"""The photo that every blur of the atlas is shown on: one of the bundled ones, or a person's own,
as the recipe would take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from components.core.errors import PhotoError
from components.core.images import Bytes8, Floats, Picture, decode
from components.core.records import Photo
from components.ingest.bundled import BUNDLED_PHOTOS, path_of
from components.optics.light import light_of, stored
from components.synthesize.config import SynthesizeConfig
from components.synthesize.translate import luma

USUAL = "datasets/images/china.jpg"  # roofs, leaves and lettering: fine detail all over, in its middle too
LONGEST_PX = 1280  # of what is blurred; a larger photo is cut to its middle, so that a pixel stays a pixel
CROP_PX = 140


@dataclass(frozen=True)
class Scene:
    """A photo ready to be blurred, and the part of it that is shown pixel by pixel."""

    name: str
    origin: str  # and licence; empty for a person's own
    picture: Picture  # as decoded
    light: Floats  # (H, W) or (H, W, 3), as the camera's settings want it
    target: Bytes8  # (H, W, 3) uint8 sRGB
    crop: tuple[int, int, int]  # top, left and side, px


def scene_of(config: SynthesizeConfig, path: Path | None, smallest_px: int) -> Scene:
    """Read, shrink and cut as the recipe does.

    path: the person's photo; None takes a bundled one.
    smallest_px: no side may be shorter, so that every blur fits.
    Raises PhotoError when the photo is missing, cannot be read, or is too small.
    """
    bundled = next(photo for photo in BUNDLED_PHOTOS if photo.file == USUAL)
    place = path_of(bundled) if path is None else path
    picture = _read(place)
    light = light_of(picture, linear=config.camera.linear_light, max_side_px=config.max_side_px)
    light = _middle(light)
    if config.downscale is not None:
        light = config.downscale.cut(light)
    height, width = light.shape[:2]
    if min(height, width) < smallest_px:
        raise PhotoError(
            f"{place.name} is too small for the atlas: {width} × {height} px as the recipe takes it, and the"
            f" largest blur shown needs {smallest_px} px a side; give --photo a larger one"
        )
    target = stored(light, linear=config.camera.linear_light)
    if config.downscale is not None and (sharpened := config.downscale.train_target(target)) is not target:
        target = sharpened
        changed = Picture(target, picture.channels, 8, picture.format)
        light = light_of(changed, linear=config.camera.linear_light)
    return Scene(
        place.name,
        f"{bundled.origin}; {bundled.licence}" if path is None else "",
        picture,
        light,
        target,
        crop_of(target, config.scale),
    )


def translated(config: SynthesizeConfig, scene: Scene) -> tuple[Bytes8, Bytes8]:
    """What a translation is given and what it should make of it, 8-bit sRGB. Raises PhotoError when
    the photo cannot be used for it.
    """
    assert config.translate is not None
    height, width = scene.picture.pixels.shape[:2]
    known: dict[str, Any] = {
        "name": scene.name,
        "width": width,
        "height": height,
        "channels": scene.picture.channels,
    }
    why = config.translate.refusal(Photo.model_construct(**known))
    if why is not None:
        raise PhotoError(
            f"{scene.name} cannot be used for {config.translate.kind}: {why}; give --photo another one"
        )
    input, target = (
        stored(_middle(light_of(part, linear=True, max_side_px=config.max_side_px)), linear=True)
        for part in config.translate.parted(scene.picture)
    )
    return input, target


def crop_of(pixels: Bytes8, scale: int = 1) -> tuple[int, int, int]:
    """Top, left and side of the square with the most detail (sum of the luma's gradient) of those
    around the photo's middle.

    All three are multiples of `scale`. The middle is in it because there is what moves, where
    something does.
    """
    height, width = pixels.shape[:2]
    side = min(CROP_PX, height, width) // scale * scale
    values = luma(pixels).astype(np.float32)
    detail = np.hypot(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1))
    # The exact sums decide, not the rounding of a running filter.
    sums = np.pad(np.rint(detail).astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    tops, lefts = (np.arange(0, length - side + 1, scale) for length in (height, width))
    # The middle keeps a quarter of the square away from its edges.
    tops, lefts = (
        starts[np.abs(starts + side / 2 - length / 2) <= max(side / 4, scale)]
        for starts, length in ((tops, height), (lefts, width))
    )
    choice = inside[np.ix_(tops, lefts)]
    top, left = np.unravel_index(int(choice.argmax()), choice.shape)
    return int(tops[top]), int(lefts[left]), side


def _read(path: Path) -> Picture:
    if not path.is_file():
        raise PhotoError(f"no photo at {path}; give --photo the path of a JPEG, PNG, WebP or TIFF file")
    try:
        return decode(path.read_bytes())
    except PhotoError as error:
        raise PhotoError(f"{path} cannot be used: {error}; give --photo another one") from error


def _middle(light: Floats) -> Floats:
    """At most LONGEST_PX of each side."""
    top, left = (max(0, side - LONGEST_PX) // 2 for side in light.shape[:2])
    return np.ascontiguousarray(light[top : top + LONGEST_PX, left : left + LONGEST_PX])
