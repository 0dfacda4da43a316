"""Make the pairs: `refocus synthesize RECIPE`.

Each photo is one item of work, on Ray workers or in this process; its pairs depend on the photo's bytes and the settings
alone, so that the folder comes out byte for byte the same whatever the number of workers. On another kind of processor
floating point may round the other way here and there: single values then differ by one level.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import JsonValue

from components.cluster import map_in_order
from components.core import seeds
from components.core.errors import LineageError, PhotoError
from components.core.files import need_free_space, sha256_of_bytes, write_bytes
from components.core.images import Picture, Pixels, decode, png_bytes
from components.core.levels import at_bits, bits_of
from components.core.records import SPLITS, OnTheFly, Pair, PairSet, Photo, PhotoSet, Split, Target
from components.optics.camera import Camera
from components.optics.light import lit, shrunk, shrunk_size, stored
from components.optics.plan import plans
from components.synthesize.config import SynthesizeConfig
from components.synthesize.imported import given_pairs, refuse_settings
from components.synthesize.sheet import write_sheet

SHEET = "examples.png"
Kind = Literal["blur", "sharp", "light"]
KINDS: tuple[Kind, ...] = ("blur", "sharp", "light")  # folders of pictures; light: photos for training to blur, where the targets hold less


@dataclass(frozen=True)
class Work:
    """One photo to make pairs of."""

    config: SynthesizeConfig
    photo: Photo
    source: Path
    out: Path


@dataclass(frozen=True)
class Made:
    """What became of one photo: its rows, and the sum of its target's values per channel in 8 bits, exact, with the number of pixels."""

    rows: tuple[Pair | Target, ...]
    colour_sum: tuple[int, int, int]
    pixels: int
    split: Split


def run(config: SynthesizeConfig, photoset: PhotoSet, *, out: Path) -> PairSet:
    """Write SPLIT/blur/*.png (what a net is given) and SPLIT/sharp/*.png (what it should make of it), one row a pair, and the record last.

    With delivery on_the_fly the training photos get targets and no pairs. Photos that came with blurred pictures (ingest.pairs) become
    pairs as they are.
    Raises PhotoError when a photo is too small or cannot be used for the task, InputError when the disk cannot hold the pairs, and
    LineageError when a photo is not the one that was ingested.
    """
    photos = photoset.photos()
    refuse_settings(config, photos)
    _refuse_unusable(config, photos)
    _refuse_small(config, photos)
    need_free_space(out, sum(_megabytes(config, photo) for photo in photos), "synthesize")
    _refuse_large(config, photos)
    # A folder without its record is unfinished: the old record goes first, the new one comes last.
    for name in (PairSet.FILE, PairSet.TABLE, PairSet.TARGETS, SHEET):
        (out / name).unlink(missing_ok=True)
    work = [Work(config, photo, photoset.folder / photo.file, out.resolve()) for photo in photos]
    made = list(map_in_order(pairs_of_photo, work, workers=config.workers, title="synthesize", unit="photos"))
    every = sorted((row for each in made for row in each.rows), key=lambda row: row.id)
    rows, targets = tuple(row for row in every if isinstance(row, Pair)), tuple(row for row in every if isinstance(row, Target))
    _remove_strangers(out, {*(file for row in rows for file in (row.blurred, row.sharp)), *(file for row in targets for file in (row.light, row.sharp))})
    if rows:
        write_sheet(out / SHEET, config, rows, out)
    counts = Counter(row.split for row in rows)
    record = PairSet(
        photoset=photoset.digest,
        config_digest=config.identity,
        task=config.task,
        scale=config.scale,
        baseline=config.baseline,
        mean_colour=_mean_colour(made) if config.baseline == "mean_colour" else None,
        counts={split: counts[split] for split in SPLITS},
        table_sha256=PairSet.write_table(out, rows),
        on_the_fly=_on_the_fly(config, targets, out) if config.delivery == "on_the_fly" else None,
    )
    return record.save(out)


def _on_the_fly(config: SynthesizeConfig, targets: tuple[Target, ...], out: Path) -> OnTheFly:
    """What training needs to make its pairs: the targets' table, and what is done to them."""
    return OnTheFly(
        degradation=config.degradation.model_dump(mode="json"),
        seed=config.seed,
        targets=len(targets),
        targets_sha256=PairSet.write_table(out, targets, PairSet.TARGETS),
    )


def pairs_of_photo(work: Work) -> Made:
    """Decode one photo and write its target, once, and its inputs; gives their rows."""
    if work.photo.given:
        ingested = work.source.parents[work.photo.file.count("/")]
        return Made(given_pairs(work.config, work.photo, ingested, work.out), (0, 0, 0), 0, work.photo.split)
    picture = decode(_verified_bytes(work), max_megapixels=math.inf)
    return _blurred(work, picture) if work.config.translate is None else _translated(work, picture)


def _blurred(work: Work, picture: Picture) -> Made:
    """Pairs by blur, downscale and camera; or what training needs to make them."""
    config, photo = work.config, work.photo
    pixels = shrunk(picture, config.max_side_px)
    whole = pixels.shape[:2]
    smaller = whole != picture.pixels.shape[:2]
    done: dict[str, JsonValue] = {"shrunk_from_px": [photo.width, photo.height] if smaller else None}
    if config.downscale is not None:
        pixels = config.downscale.cut(pixels)
        done["cut_from_px"] = [whole[1], whole[0]] if pixels.shape[:2] != whole else None
    sharp = _kept(pixels, config.camera)
    if config.downscale is not None and photo.split == "train" and (sharpened := config.downscale.train_target(sharp)) is not sharp:
        sharp, pixels, done["sharpened"] = sharpened, sharpened[:, :, 0] if picture.channels == 1 else sharpened, True
    target = _target_of(work, sharp)
    if config.delivery == "on_the_fly" and photo.split == "train":
        return _made(work, [_to_be_blurred(work, target, pixels, picture.channels, done)], sharp)
    light = lit(pixels, linear=config.camera.linear_light)
    rows = []
    pair_seeds = [seeds.seed_of(config.seed, photo.id, index) for index in range(_pairs_of(config, photo))]
    for index, (seed, plan) in enumerate(zip(pair_seeds, plans(config.degradation, pair_seeds), strict=True)):
        rows.append(_row(work, target, index, seed, plan.blurred(light), plan.kind, {**plan.drawn, **done}, plan.severity_px))
    return _made(work, rows, sharp)


def _to_be_blurred(work: Work, target: dict[str, Any], pixels: Pixels, channels: Literal[1, 3], done: dict[str, JsonValue]) -> Target:
    """Write the photo that training will blur, where its target holds less; gives its row."""
    file, sha256 = target["sharp"], target["sharp_sha256"]
    if bits_of(pixels) != work.config.camera.bits:
        file, sha256 = _written(work, "light", work.photo.id[:16], _coloured(pixels))
    return Target(id=work.photo.id[:16], photo=work.photo.id, light=file, light_sha256=sha256, channels=channels, done=done, **target)


def _translated(work: Work, picture: Picture) -> Made:
    """The one pair that a photo holds for a translation."""
    config = work.config
    assert config.translate is not None
    parts = config.translate.parted(picture)
    given, pixels = (_kept(shrunk(part, config.max_side_px), config.camera) for part in parts)
    height, width = parts[1].pixels.shape[:2]
    smaller = pixels.shape[:2] != (height, width)
    done: dict[str, JsonValue] = {"translate": config.translate.model_dump(mode="json"), "shrunk_from_px": [width, height] if smaller else None}
    seed = seeds.seed_of(config.seed, work.photo.id, 0)
    return _made(work, [_row(work, _target_of(work, pixels), 0, seed, given, config.translate.kind, done, 0.0)], pixels)


def _kept(pixels: Pixels, camera: Camera) -> Pixels:
    """A photo as its pair stores it, (H, W, 3): pixel by pixel where that loses nothing, else from its light."""
    if bits_of(pixels) > camera.bits:
        return stored(lit(pixels, linear=camera.linear_light), linear=camera.linear_light, bits=camera.bits)
    return _coloured(at_bits(pixels, camera.bits))


def _coloured(pixels: Pixels) -> Pixels:
    """(H, W) or (H, W, 3) to (H, W, 3), grey repeated."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def _target_of(work: Work, pixels: Pixels) -> dict[str, Any]:
    """Write a photo's target, which its pairs share; gives what their rows say of it."""
    file, sha256 = _written(work, "sharp", work.photo.id[:16], pixels)
    return {"sharp": file, "sharp_sha256": sha256, "width": pixels.shape[1], "height": pixels.shape[0]}


def _row(work: Work, target: dict[str, Any], index: int, seed: int, given: Pixels, kind: str, drawn: dict[str, JsonValue], severity: float) -> Pair:
    """Write what a net is given in one pair; gives the pair's row."""
    pair = f"{work.photo.id[:16]}-{index:02d}"
    file, sha256 = _written(work, "blur", pair, given)
    return Pair(
        id=pair,
        split=work.photo.split,
        photo=work.photo.id,
        blurred=file,
        blurred_sha256=sha256,
        blur_kind=kind,
        drawn=drawn,
        severity=severity,
        severity_class=work.config.severity_class(severity),
        seed=seed,
        **target,
    )


def _made(work: Work, rows: Sequence[Pair | Target], target: Pixels) -> Made:
    red, green, blue = (int(total) for total in at_bits(target, 8).sum(axis=(0, 1), dtype=np.int64))
    return Made(tuple(rows), (red, green, blue), target.shape[0] * target.shape[1], work.photo.split)


def _mean_colour(made: Iterable[Made]) -> tuple[int, int, int]:
    """The mean of all training targets' pixels per channel, rounded half up; whole numbers, so that no order changes it."""
    train = [each for each in made if each.split == "train"]
    if not train:
        raise PhotoError("baseline mean_colour is the mean over the training photos, and there are none; give more photos, or set translate.baseline to input")
    pixels = sum(each.pixels for each in train)
    red, green, blue = ((2 * sum(each.colour_sum[channel] for each in train) + pixels) // (2 * pixels) for channel in range(3))
    return red, green, blue


def _verified_bytes(work: Work) -> bytes:
    """The photo's bytes, which are its identity. Raises LineageError when they are missing or others."""
    data = work.source.read_bytes() if work.source.is_file() else b""
    if sha256_of_bytes(data) != work.photo.id:
        raise LineageError(f"{work.source} is missing or was altered: it is not the photo {work.photo.name} that was ingested; run ingest again")
    return data


def _written(work: Work, kind: Kind, name: str, pixels: Pixels) -> tuple[str, str]:
    """Write one PNG; gives its file below the folder and its SHA-256."""
    file, data = f"{work.photo.split}/{kind}/{name}.png", png_bytes(pixels)
    write_bytes(work.out / file, data)
    return file, sha256_of_bytes(data)


def _pairs_of(config: SynthesizeConfig, photo: Photo) -> int:
    return len(photo.given) or (config.pairs_per_photo if photo.split == "train" else config.pairs_per_eval_photo)


def _target_size(config: SynthesizeConfig, photo: Photo) -> tuple[int, int]:
    """Width and height of a photo's target, before it is cut to a multiple of the scale."""
    size = (photo.width, photo.height) if config.translate is None else config.translate.size(photo.width, photo.height)
    return shrunk_size(*size, config.max_side_px)


def _megabytes(config: SynthesizeConfig, photo: Photo) -> float:
    """Room for a photo's pictures as if PNG saved nothing, which is nearly so with noise."""
    width, height = _target_size(config, photo)
    # On the fly, a photo of more than 8 bits lies beside its target.
    beside = 2.0 if config.delivery == "on_the_fly" and photo.split == "train" else _pairs_of(config, photo) / config.scale**2
    return 3 * width * height * config.camera.bits / 8 * (1 + beside) / 1e6


def _refuse_unusable(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """A translation needs photos in which input and target can be found."""
    refused = [] if config.translate is None else [(photo.name, why) for photo in photos if (why := config.translate.refusal(photo)) is not None]
    if refused:
        name, why = refused[0]
        raise PhotoError(f"{len(refused)} of {len(photos)} photos cannot be used: {name}: {why}. Take them out of the folder that is ingested")


def _refuse_small(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """Reflection cannot fill the border of a photo that is smaller than the blur; of a tiny one nothing is left to learn."""
    needed = config.smallest_px
    small = [photo for photo in photos if not photo.given and min(_target_size(config, photo)) < needed]
    if small:
        first = small[0]
        width, height = _target_size(config, first)
        target = "" if (width, height) == (first.width, first.height) else f", its target {width} × {height} px"
        blur = needed == config.largest_blur_px
        raise PhotoError(
            f"{len(small)} of {len(photos)} photos are smaller than {'the largest blur' if blur else 'the least that can be used'}, {needed} px:"
            f" {first.name} is {first.width} × {first.height} px{target}."
            f" Leave out photos below {needed} px a side when ingesting{', or lower canvas_px and max_len_px of the blur' if blur else ''}"
        )


def _refuse_large(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """A codec's file has no room for longer sides."""
    longest = None if config.camera.largest_px is None else config.camera.largest_px * config.scale
    large = [] if longest is None else [photo for photo in photos if max(_target_size(config, photo)) > longest]
    if large:
        raise PhotoError(
            f"{len(large)} of {len(photos)} photos are larger than camera.{' or camera.'.join(config.camera.codecs)} can write, {longest} px a side:"
            f" {large[0].name} is {large[0].width} × {large[0].height} px. Set synthesize.max_side_px to {longest} or less, or leave them out"
        )


def _remove_strangers(out: Path, known: set[str]) -> None:
    """Pictures of an earlier or interrupted run with other photos or settings are no part of this set."""
    for split in SPLITS:
        for picture in (path for kind in KINDS for path in (out / split / kind).glob("*.png")):
            if picture.relative_to(out).as_posix() not in known:
                picture.unlink()
