"""The camera's part of the atlas: each step with its settings, and one pair's patch as every step
leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from components.atlas import pictures
from components.atlas.draws import Kind
from components.atlas.photo import Scene
from components.atlas.settings import Setting, settings_of
from components.core.images import Bytes8
from components.core.levels import at_bits
from components.core.parts import Part
from components.describe.nets import first_line
from components.optics.camera import Camera, Shot
from components.optics.degradation import Plan
from components.optics.demosaic import mosaicked
from components.optics.develop import raw_of
from components.optics.light import stored


@dataclass(frozen=True)
class Step:
    """One step of a recipe's camera."""

    title: str
    about: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Stage:
    """What a pair's patches are after a step."""

    title: str
    words: str  # what was drawn
    crops: tuple[str, ...]


def steps_of(camera: Camera) -> tuple[tuple[Setting, ...], tuple[Step, ...]]:
    """The camera's own settings, with the names of steps that are off; and the steps that are on,
    in their order.
    """
    steps = [(name, getattr(camera, name)) for name in camera.steps]
    plain = tuple(
        setting for setting in settings_of(camera) if not isinstance(getattr(camera, setting.name), Part)
    )
    return plain, tuple(
        Step(
            "JPEG" if name == "jpeg" else "WebP" if name == "webp" else name,
            first_line(part),
            settings_of(part),
        )
        for name, part in steps
    )


def stages_of(kind: Kind, scene: Scene, scale: int) -> tuple[Stage, ...]:
    """The kind's median pair, step by step: the patch with the most detail, and where clipped
    lights make the most of a difference, if they do anywhere.

    Empty where the camera does nothing.
    """
    plan = kind.shown[len(kind.shown) // 2].plan
    found = _pictures(plan, scene)
    if len(found) == 1:
        return ()
    crops = [scene.crop]
    if (
        plan.shot.highlights is not None
        and (bright := _brightened(found[0][2], found[1][2], scene.crop[2] // scale)) is not None
    ):
        crops.append((bright[0] * scale, bright[1] * scale, scene.crop[2]))
    return tuple(
        Stage(title, words, tuple(pictures.cropped(pixels, crop, scale) for crop in crops))
        for title, words, pixels in found
    )


def _pictures(plan: Plan, scene: Scene) -> list[tuple[str, str, Bytes8]]:
    shot, colour = plan.shot, scene.light.ndim == 3
    done = Shot(shot.seed, shot.linear_light, noise=None, jpeg_quality=None)
    found = [("blurred", "linear light, nothing else", _seen(plan, done, scene))]
    if shot.highlights is not None:
        done = replace(done, highlights=shot.highlights)
        found.append(
            (
                "highlights",
                f"clipped light plus {shot.highlights.extra:.2f} of white",
                _seen(plan, done, scene),
            )
        )
    if shot.wear is not None:
        done = replace(done, wear=shot.wear)
        left = (
            f"{shot.wear.contrast:.0%} of the contrast left, {shot.wear.scratches:.0f} scratches a megapixel"
        )
        found.append(("worn", left, _seen(plan, done, scene)))
    if shot.sensor is not None and colour:
        red, _, blue = shot.sensor.gains
        gains = f"red ÷ {red:.2f}, blue ÷ {blue:.2f}"
        if shot.sensor.pattern is not None:
            found.append(
                (
                    "on the sensor",
                    f"{shot.sensor.pattern}, {gains}{', with noise' if shot.noise else ''}",
                    _on_sensor(plan, scene),
                )
            )
        done = replace(done, sensor=shot.sensor, noise=shot.noise)
        how = shot.sensor.demosaic if shot.sensor.pattern is not None else gains
        found.append(
            ("developed", f"{how}{', ' + _noise_words(shot) if shot.noise else ''}", _seen(plan, done, scene))
        )
    elif shot.noise is not None:
        done = replace(done, noise=shot.noise)
        found.append(("noise", _noise_words(shot), _seen(plan, done, scene)))
    for title, quality in (("JPEG", shot.jpeg_quality), ("WebP", shot.webp_quality)):
        if quality is not None:
            found.append((title, f"quality {quality}", _seen(plan, replace(shot, bits=8), scene)))
    return found


def _seen(plan: Plan, shot: Shot, scene: Scene) -> Bytes8:
    return np.asarray(at_bits(replace(plan, shot=shot).blurred(scene.light), 8), np.uint8)


def _on_sensor(plan: Plan, scene: Scene) -> Bytes8:
    """The mosaic, each pixel in the colour of its filter."""
    shot = plan.shot
    assert shot.sensor is not None, "a mosaic needs a sensor"
    light, full = shot.clipped(plan.exposure(scene.light))
    mosaic = raw_of(light, shot.sensor, shot.noise, shot.seed, full, top=0, left=0)
    filters = np.broadcast_to(np.arange(3), (*mosaic.shape, 3))
    mine = mosaicked(filters, shot.sensor.red_site())[:, :, None] == filters
    return stored(np.where(mine, mosaic[:, :, None], np.float32(0)), linear=True)


def _noise_words(shot: Shot) -> str:
    assert shot.noise is not None, "no noise was drawn"
    return f"shot {shot.noise.shot:.1e}, read {shot.noise.read:.1e}"


def _brightened(before: Bytes8, after: Bytes8, side: int) -> tuple[int, int] | None:
    """Top and left of the square whose levels rise most; None where none does."""
    risen = (after.astype(np.float32) - before).sum(axis=2)
    if risen.max() < 1:
        return None
    sums = cv2.boxFilter(
        risen, -1, (side, side), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    inside = sums[: risen.shape[0] - side + 1, : risen.shape[1] - side + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left)
