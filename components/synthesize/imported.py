"""Pairs that were given, not made: blurred pictures that ingest took in beside their sharp ones
become pairs as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from components.core.errors import InputError
from components.core.images import Bytes8, decode, to_float, to_uint8
from components.core.records import Pair, Photo
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import File, Made, Work, encoded

KIND = "imported"


def imported_pairs(work: Work) -> Iterator[File | Made]:
    """A photo's given pairs as 8-bit PNG, cut into place where ingest said so, and one row each."""
    config, photo = work.config, work.photo
    target, written = decoded_8(work.data), dict[str, tuple[str, str]]()
    rows = []
    for input, data in zip(photo.inputs, work.inputs, strict=True):
        x, y = input.moved_px
        cut = placed(target, x, y)
        name = photo.id[:16] + (f"{x:+d}{y:+d}" if (x, y) != (0, 0) else "")
        if name not in written:
            file, digest = encoded(photo.split, "target", name, cut)
            written[name] = file.name, digest
            yield file
        pair = f"{photo.id[:16]}-{input.id[:12]}"
        file, digest = encoded(photo.split, "input", pair, placed(decoded_8(data), -x, -y))
        rows.append(
            Pair(
                id=pair,
                split=photo.split,
                photo=photo.id,
                group=photo.group,
                input=file.name,
                target=written[name][0],
                input_sha256=digest,
                target_sha256=written[name][1],
                width=cut.shape[1],
                height=cut.shape[0],
                blur_kind=KIND,
                drawn=input.model_dump(
                    mode="json", exclude={"id", "file", "size_bytes", "severity", "clip", "frame"}
                ),
                severity=input.severity,
                severity_class=config.severity_class(input.severity),
                seed=0,
                clip=input.clip,
                frame=input.frame,
            )
        )
        yield file
    yield work.made(rows)


def placed(pixels: Bytes8, x: int, y: int) -> Bytes8:
    """A picture's part that is left when another one lies x px to its right and y px below it: (H,
    W, 3) to (H - |y|, W - |x|, 3).

    >>> import numpy as np
    >>> row = np.arange(4, dtype=np.uint8).reshape(1, 4, 1)
    >>> placed(row, 1, 0).ravel().tolist(), placed(row, -1, 0).ravel().tolist()
    ([0, 1, 2], [1, 2, 3])
    """
    height, width = pixels.shape[:2]
    return pixels[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]


def refuse_settings(config: SynthesizeConfig, photos: Sequence[Photo]) -> None:
    """Raises InputError when photos came with their blurred pictures and the settings ask for others, or as
    clips that the settings do not fit.
    """
    longest = None if config.clip is None else config.clip.frames
    for photo in (photo for photo in photos if photo.frames):
        if longest is None:
            raise InputError(
                "the photos came as clips of video (ingest.clips), and the settings make none: set"
                " synthesize.clip, or leave ingest.clips out"
            )
        if longest > 1 + len(photo.frames):
            raise InputError(
                f"synthesize.clip.frames is {longest}, and ingest.clips took clips of"
                f" {1 + len(photo.frames)}: lower the first or raise the second"
            )
    asked = config.asks_for_blur
    if asked and any(photo.inputs or photo.domain for photo in photos):
        came = (
            "in two domains"
            if any(photo.domain for photo in photos)
            else "with blurred pictures of their own"
        )
        raise InputError(
            f"the photos came {came}, so nothing is made of them: leave synthesize.{asked[0]} out"
        )


def decoded_8(data: bytes) -> Bytes8:
    """A picture (H, W, 3), rounded to 8 bits where it has more."""
    picture = decode(data, max_megapixels=math.inf)
    return picture.pixels if picture.bits == 8 else to_uint8(to_float(picture.pixels))
