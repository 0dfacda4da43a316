"""What becomes of one photo: its pictures as encoded bytes, one at a time, and then the rows that
describe them.

Nothing here reads or writes a file, so that any machine can do it: bytes come in, bytes go out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from pydantic import JsonValue

from components.core import seeds
from components.core.errors import PhotoError
from components.core.images import Picture, Pixels, decode
from components.core.levels import at_bits, bits_of
from components.core.quarantine import LeftOut
from components.core.records import Pair, Photo, SourcePhoto
from components.optics.bands import in_bands, kept
from components.optics.degradation import plans
from components.optics.light import coloured, shrunk
from components.synthesize.clips import clip_pairs
from components.synthesize.config import SynthesizeConfig
from components.synthesize.imported import imported_pairs
from components.synthesize.made_pairs import File, Made, Work, encoded
from components.synthesize.maps import decoded
from components.synthesize.unpaired import unpaired_picture


def pairs_or_reason(work: Work) -> Iterator[File | Made | LeftOut]:
    """What `pairs_of_photo` gives; or, by the photo's id, why nothing can be made of it: ingest has
    looked at it, yet another library, or another version of one, may see more.
    """
    try:
        yield from pairs_of_photo(work)
    except PhotoError as error:
        yield LeftOut(name=work.photo.id, reason=str(error))


def pairs_of_photo(work: Work) -> Iterator[File | Made]:
    """Decode a photo and give its target, once, then each pair's input, and what was made at the
    end.

    Pairs that came with the photo are given as they are; with delivery on_the_fly a training photo
    has no pairs.
    """
    if work.photo.domain is not None:
        return unpaired_picture(work)
    if work.inputs:
        return imported_pairs(work)
    if work.config.clip is not None:
        return clip_pairs(work, pairs_of(work.config, work.photo) // work.config.clip.frames)
    picture = decode(work.data, max_megapixels=math.inf)
    return _blurred(work, picture) if work.config.translate is None else _translated(work, picture)


def pairs_of(config: SynthesizeConfig, photo: Photo) -> int:
    """How many pairs a photo gives."""
    if photo.domain is not None or (config.delivery == "on_the_fly" and photo.split == "train"):
        return 0
    asked = config.pairs_per_photo if photo.split == "train" else config.pairs_per_eval_photo
    return len(photo.inputs) or asked * (1 if config.clip is None else config.clip.frames)


def _blurred(work: Work, picture: Picture) -> Iterator[File | Made]:
    """Pairs by blur, downscale and camera; or what training needs to make them."""
    config, photo = work.config, work.photo
    pixels = shrunk(picture, config.max_side_px)
    whole = pixels.shape[:2]
    maps = decoded(work, *whole)
    done: dict[str, JsonValue] = {
        "shrunk_from_px": [photo.width, photo.height] if whole != picture.pixels.shape[:2] else None
    }
    channels = picture.channels
    del picture
    if config.downscale is not None:
        pixels = config.downscale.cut(pixels)
        done["cut_from_px"] = [whole[1], whole[0]] if pixels.shape[:2] != whole else None
    target = kept(pixels, config.camera)
    if (
        config.downscale is not None
        and photo.split == "train"
        and (sharpened := config.downscale.train_target(target)) is not target
    ):
        target, pixels, done["sharpened"] = (
            sharpened,
            sharpened[:, :, 0] if channels == 1 else sharpened,
            True,
        )
    target_row, colour_sum, file = _target_of(work, target)
    del target  # 3 bytes a pixel that need not lie there while the photo is blurred
    yield file
    if config.delivery == "on_the_fly" and photo.split == "train":
        yield from _source_photo(work, target_row, pixels, channels, done)
        return
    rows = []
    pair_seeds = [seeds.seed_of(config.seed, photo.id, index) for index in range(pairs_of(config, photo))]
    drawn = (plan.with_maps(maps) for plan in plans(config.degradation, pair_seeds))
    for index, (seed, plan) in enumerate(zip(pair_seeds, drawn, strict=True)):
        row, file = _pair(
            work,
            target_row,
            index,
            seed,
            in_bands(plan, pixels),
            plan.kind,
            {**plan.drawn, **done},
            plan.severity_px,
        )
        rows.append(row)
        yield file
    yield work.made(rows, colour_sum)


def _source_photo(
    work: Work,
    target_row: dict[str, Any],
    pixels: Pixels,
    channels: Literal[1, 3],
    done: dict[str, JsonValue],
) -> Iterator[File | Made]:
    """The photo that training will blur, where its target holds less, and its row."""
    name, sha256 = target_row["target"], target_row["target_sha256"]
    if bits_of(pixels) != work.config.camera.bits:
        file, sha256 = encoded(work.photo.split, "light", work.photo.id[:16], coloured(pixels))
        name = file.name
        yield file
    row = SourcePhoto(
        id=work.photo.id[:16],
        photo=work.photo.id,
        light=name,
        light_sha256=sha256,
        channels=channels,
        done=done,
        **target_row,
    )
    yield work.made([row])


def _translated(work: Work, picture: Picture) -> Iterator[File | Made]:
    """The one pair that a photo holds for a translation."""
    config = work.config
    assert config.translate is not None
    parts = config.translate.parted(picture)
    small = [shrunk(part, config.max_side_px) for part in parts]
    height, width = parts[1].pixels.shape[:2]
    done: dict[str, JsonValue] = {
        "translate": config.translate.model_dump(mode="json"),
        "shrunk_from_px": [width, height] if small[1].shape[:2] != (height, width) else None,
    }
    target_row, colour_sum, file = _target_of(work, kept(small[1], config.camera))
    yield file
    row, file = _pair(
        work,
        target_row,
        0,
        seeds.seed_of(config.seed, work.photo.id, 0),
        kept(small[0], config.camera),
        config.translate.kind,
        done,
        0.0,
    )
    yield file
    yield work.made([row], colour_sum)


def _target_of(work: Work, pixels: Pixels) -> tuple[dict[str, Any], tuple[int, int, int] | None, File]:
    """A photo's target, which its pairs share: what their rows say of it, the sum of its colours,
    and its file.
    """
    file, sha256 = encoded(work.photo.split, "target", work.photo.id[:16], pixels)
    colours = None
    if work.config.baseline == "mean_colour":
        red, green, blue = (int(total) for total in at_bits(pixels, 8).sum(axis=(0, 1), dtype=np.int64))
        colours = red, green, blue
    return (
        {"target": file.name, "target_sha256": sha256, "width": pixels.shape[1], "height": pixels.shape[0]},
        colours,
        file,
    )


def _pair(
    work: Work,
    target_row: dict[str, Any],
    index: int,
    seed: int,
    input: Pixels,
    kind: str,
    drawn: dict[str, JsonValue],
    severity: float,
) -> tuple[Pair, File]:
    """What a net is given in one pair: the pair's row, and its file."""
    pair = f"{work.photo.id[:16]}-{index:02d}"
    file, sha256 = encoded(work.photo.split, "input", pair, input)
    return (
        Pair(
            id=pair,
            split=work.photo.split,
            photo=work.photo.id,
            group=work.photo.group,
            input=file.name,
            input_sha256=sha256,
            blur_kind=kind,
            drawn=drawn,
            severity=severity,
            severity_class=work.config.severity_class(severity),
            seed=seed,
            **target_row,
        ),
        file,
    )
