"""Clips out of photos and of sharp videos: frame after frame of one path of the camera, each frame a pair
of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from components.core import seeds
from components.core.errors import PhotoError
from components.core.images import Floats, decode
from components.core.levels import at_bits
from components.core.records import Pair
from components.optics.light import coloured, lit, shrunk, stored
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import File, Made, Work, encoded

KIND = "clip_shake"


def clip_pairs(work: Work, clips: int) -> Iterator[File | Made]:
    """So many clips of one photo, or of the frames that begin with it, each frame's target and input, and
    the rows. Every number is drawn from (seed, photo, clip), noise from (…, frame) too.
    """
    config, photo, rows = work.config, work.photo, list[Pair]()
    assert config.clip is not None
    views = [_view(config, data) for data in (work.data, *work.frames)]
    if len({view.shape[:2] for view in views}) > 1:
        raise PhotoError("the frames of its clip differ in size; run ingest again")
    if len(views) == 1:  # a photo is a view that stands still
        views *= config.clip.frames
    for index in range(clips):
        seed = seeds.seed_of(config.seed, photo.id, index)
        for row, files in _clip(config, work, views, f"{photo.id[:16]}-{index:02d}", seed):
            rows.append(row)
            yield from files
    yield work.made(rows)


def _view(config: SynthesizeConfig, data: bytes) -> Floats:
    """A picture's light, (H, W) or (H, W, 3), after shrinking."""
    pixels = shrunk(decode(data, max_megapixels=math.inf), config.max_side_px)
    return lit(pixels, linear=config.camera.linear_light)


def _clip(
    config: SynthesizeConfig, work: Work, views: Sequence[Floats], name: str, seed: int
) -> Iterator[tuple[Pair, list[File]]]:
    part, camera = config.clip, config.camera
    assert part is not None
    shaken = part.draw(seeds.stream(seed, "clip"))
    shots = [camera.shot(seeds.seed_of(seed, "frame", number)) for number in range(part.frames)]
    inputs = [
        coloured(shot.picture(shaken.blurred(shot.recovered(views[number]), number)))
        for number, shot in enumerate(shots)
    ]
    coded = part.codec is not None and part.codec.drawn(seeds.stream(seed, "codec"))
    if part.codec is not None and coded:
        written = part.codec.roundtrip([at_bits(each, 8) for each in inputs], part.fps)
        inputs = [at_bits(each, camera.bits) for each in written]
    for number, (shot, input) in enumerate(zip(shots, inputs, strict=True)):
        target = stored(shaken.sharp(views[number], number), linear=camera.linear_light, bits=camera.bits)
        drawn: dict[str, JsonValue] = {"blur": shaken.drawn, **shot.drawn}
        if coded and part.codec is not None:
            drawn["codec"] = part.codec.kind
        frame = f"{name}-{number:03d}"
        shown, input_sha256 = encoded(work.photo.split, "input", frame, input)
        aim, target_sha256 = encoded(work.photo.split, "target", frame, target)
        severity = shaken.severities_px[number]
        row = Pair(
            id=frame,
            split=work.photo.split,
            photo=work.photo.id,
            group=work.photo.group,
            input=shown.name,
            target=aim.name,
            input_sha256=input_sha256,
            target_sha256=target_sha256,
            width=target.shape[1],
            height=target.shape[0],
            blur_kind=KIND,
            drawn=drawn,
            severity=severity,
            severity_class=config.severity_class(severity),
            seed=seed,
            clip=name,
            frame=number,
        )
        yield row, [aim, shown]
