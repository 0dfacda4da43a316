"""What becomes of one photo: its pictures as encoded bytes, one at a time, and then the rows that describe them.

Nothing here reads or writes a file, so that any machine can do it: bytes come in, bytes go out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, JsonValue

from components.core import seeds
from components.core.files import sha256_of_bytes
from components.core.images import Picture, Pixels, decode, png_bytes
from components.core.levels import at_bits
from components.core.parts import Part
from components.core.records import Pair, Photo
from components.optics.bands import in_bands, kept
from components.optics.light import shrunk
from components.optics.plan import plans
from components.synthesize.config import SynthesizeConfig


@dataclass(frozen=True)
class Work:
    """One photo to make pairs of; `data` is the photo's file as it was ingested."""

    config: SynthesizeConfig
    photo: Photo
    data: bytes


@dataclass(frozen=True)
class File:
    """A picture to be written: its name below the PairSet's folder, and its bytes."""

    name: str
    data: bytes


class Made(Part):
    """What became of one photo."""

    rows: tuple[Pair, ...] = Field(min_length=1)
    colour_sum: tuple[int, int, int] | None = Field(description="sum of the target's values per channel, in 8 bits, exact; where the baseline is their mean")

    @property
    def photo(self) -> str:
        """The photo's id."""
        return self.rows[0].photo

    @property
    def files(self) -> dict[str, str]:
        """Every picture and its SHA-256."""
        return {name: sha256 for row in self.rows for name, sha256 in ((row.sharp, row.sharp_sha256), (row.blurred, row.blurred_sha256))}


def pairs_of_photo(work: Work) -> Iterator[File | Made]:
    """Decode a photo and give its target, once, then each pair's input, and what was made at the end."""
    picture = decode(work.data, max_megapixels=math.inf)
    return _blurred(work, picture) if work.config.translate is None else _translated(work, picture)


def pairs_of(config: SynthesizeConfig, photo: Photo) -> int:
    """How many pairs a photo gives."""
    return config.pairs_per_photo if photo.split == "train" else config.pairs_per_eval_photo


def _blurred(work: Work, picture: Picture) -> Iterator[File | Made]:
    """Pairs by blur, downscale and camera."""
    config, photo = work.config, work.photo
    pixels = shrunk(picture, config.max_side_px)
    whole = pixels.shape[:2]
    done: dict[str, JsonValue] = {"shrunk_from_px": [photo.width, photo.height] if whole != picture.pixels.shape[:2] else None}
    del picture
    if config.downscale is not None:
        pixels = config.downscale.cut(pixels)
        done["cut_from_px"] = [whole[1], whole[0]] if pixels.shape[:2] != whole else None
    target, colour_sum, file = _target_of(work, kept(pixels, config.camera))
    yield file
    rows = []
    pair_seeds = [seeds.seed_of(config.seed, photo.id, index) for index in range(pairs_of(config, photo))]
    for index, (seed, plan) in enumerate(zip(pair_seeds, plans(config.degradation, pair_seeds), strict=True)):
        row, file = _pair(work, target, index, seed, in_bands(plan, pixels), plan.kind, {**plan.drawn, **done}, plan.effect.severity_px)
        rows.append(row)
        yield file
    yield Made(rows=tuple(rows), colour_sum=colour_sum)


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
    target, colour_sum, file = _target_of(work, kept(small[1], config.camera))
    yield file
    row, file = _pair(work, target, 0, seeds.seed_of(config.seed, work.photo.id, 0), kept(small[0], config.camera), config.translate.kind, done, 0.0)
    yield file
    yield Made(rows=(row,), colour_sum=colour_sum)


def _target_of(work: Work, pixels: Pixels) -> tuple[dict[str, Any], tuple[int, int, int] | None, File]:
    """A photo's target, which its pairs share: what their rows say of it, the sum of its colours, and its file."""
    file, sha256 = _encoded(work, "sharp", work.photo.id[:16], pixels)
    colours = None
    if work.config.baseline == "mean_colour":
        red, green, blue = (int(total) for total in at_bits(pixels, 8).sum(axis=(0, 1), dtype=np.int64))
        colours = red, green, blue
    return {"sharp": file.name, "sharp_sha256": sha256, "width": pixels.shape[1], "height": pixels.shape[0]}, colours, file


def _pair(
    work: Work, target: dict[str, Any], index: int, seed: int, given: Pixels, kind: str, drawn: dict[str, JsonValue], severity: float
) -> tuple[Pair, File]:
    """What a net is given in one pair: the pair's row, and its file."""
    pair = f"{work.photo.id[:16]}-{index:02d}"
    file, sha256 = _encoded(work, "blur", pair, given)
    return (
        Pair(
            id=pair,
            split=work.photo.split,
            photo=work.photo.id,
            blurred=file.name,
            blurred_sha256=sha256,
            blur_kind=kind,
            drawn=drawn,
            severity=severity,
            severity_class=work.config.severity_class(severity),
            seed=seed,
            **target,
        ),
        file,
    )


def _encoded(work: Work, kind: Literal["blur", "sharp"], name: str, pixels: Pixels) -> tuple[File, str]:
    """One picture as PNG, and its SHA-256."""
    data = png_bytes(pixels)
    return File(f"{work.photo.split}/{kind}/{name}.png", data), sha256_of_bytes(data)
