"""Make the pairs: `refocus synthesize RECIPE`.

Each photo is one item of work, on Ray workers or in this process; its pairs depend on the photo's bytes and the settings
alone, so that the folder comes out byte for byte the same whatever the number of workers. On another kind of processor
floating point may round the other way here and there: single values then differ by one level.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from components.cluster import map_in_order
from components.core import seeds
from components.core.errors import LineageError, PhotoError
from components.core.files import need_free_space, sha256_of_bytes, write_bytes
from components.core.images import Bytes8, decode, png_bytes
from components.core.records import SPLITS, Pair, PairSet, Photo, PhotoSet
from components.synthesize.config import SynthesizeConfig
from components.synthesize.light import light_of, shrunk_size, stored
from components.synthesize.pair import plans
from components.synthesize.sheet import write_sheet

SHEET = "examples.png"


@dataclass(frozen=True)
class Work:
    """One photo to make pairs of."""

    config: SynthesizeConfig
    photo: Photo
    source: Path
    out: Path


def run(config: SynthesizeConfig, photoset: PhotoSet, *, out: Path) -> PairSet:
    """Write SPLIT/blur/*.png and SPLIT/sharp/*.png below `out`, one row a pair, and the record last.

    Raises PhotoError when a photo is smaller than a blur may be, InputError when the disk cannot hold the pairs, and
    LineageError when a photo is not the one that was ingested.
    """
    photos = photoset.photos()
    _refuse_small(config, photos)
    need_free_space(out, sum(_megabytes(config, photo) for photo in photos), "synthesize")
    # A folder without its record is unfinished: the old record goes first, the new one comes last.
    for name in (PairSet.FILE, PairSet.TABLE, SHEET):
        (out / name).unlink(missing_ok=True)
    work = [Work(config, photo, photoset.folder / photo.file, out.resolve()) for photo in photos]
    made = map_in_order(pairs_of_photo, work, workers=config.workers, title="synthesize", unit="photos")
    rows = tuple(sorted((row for rows in made for row in rows), key=lambda row: row.id))
    _remove_strangers(out, rows)
    if rows:
        write_sheet(out / SHEET, config, rows, out)
    counts = Counter(row.split for row in rows)
    record = PairSet(
        photoset=photoset.digest,
        config_digest=config.identity,
        counts={split: counts[split] for split in SPLITS},
        table_sha256=PairSet.write_table(out, rows),
    )
    return record.save(out)


def pairs_of_photo(work: Work) -> tuple[Pair, ...]:
    """Decode one photo and write its sharp picture, once, and its blurred ones; gives their rows."""
    config, photo = work.config, work.photo
    picture = decode(_verified_bytes(work), max_megapixels=math.inf)
    light = light_of(picture, linear=config.camera.linear_light, max_side_px=config.max_side_px)
    as_stored = picture.bits == 8 and light.shape[:2] == picture.pixels.shape[:2]
    sharp_pixels = picture.pixels if as_stored else stored(light, linear=config.camera.linear_light)
    sharp, sharp_sha256 = _written(work.out, f"{photo.split}/sharp/{photo.id[:16]}.png", sharp_pixels)
    rows = []
    pair_seeds = [seeds.seed_of(config.seed, photo.id, index) for index in range(_pairs_of(config, photo))]
    for index, (seed, plan) in enumerate(zip(pair_seeds, plans(config, pair_seeds), strict=True)):
        pair = f"{photo.id[:16]}-{index:02d}"
        blurred, blurred_sha256 = _written(work.out, f"{photo.split}/blur/{pair}.png", plan.blurred(light))
        severity = plan.effect.severity_px
        rows.append(
            Pair(
                id=pair,
                split=photo.split,
                photo=photo.id,
                blurred=blurred,
                sharp=sharp,
                blurred_sha256=blurred_sha256,
                sharp_sha256=sharp_sha256,
                width=light.shape[1],
                height=light.shape[0],
                blur_kind=plan.blur.kind,
                drawn={**plan.drawn, "shrunk_from_px": [photo.width, photo.height] if light.shape[:2] != picture.pixels.shape[:2] else None},
                severity=severity,
                severity_class=config.severity_class(severity),
                seed=seed,
            )
        )
    return tuple(rows)


def _verified_bytes(work: Work) -> bytes:
    """The photo's bytes, which are its identity. Raises LineageError when they are missing or others."""
    data = work.source.read_bytes() if work.source.is_file() else b""
    if sha256_of_bytes(data) != work.photo.id:
        raise LineageError(f"{work.source} is missing or was altered: it is not the photo {work.photo.name} that was ingested; run ingest again")
    return data


def _written(out: Path, file: str, pixels: Bytes8) -> tuple[str, str]:
    """Write one PNG; gives its name and SHA-256."""
    data = png_bytes(pixels)
    write_bytes(out / file, data)
    return file, sha256_of_bytes(data)


def _pairs_of(config: SynthesizeConfig, photo: Photo) -> int:
    return config.pairs_per_photo if photo.split == "train" else config.pairs_per_eval_photo


def _megabytes(config: SynthesizeConfig, photo: Photo) -> float:
    """Room for a photo's pictures as if PNG saved nothing, which is nearly so with noise."""
    width, height = shrunk_size(photo.width, photo.height, config.max_side_px)
    return 3 * width * height * (1 + _pairs_of(config, photo)) / 1e6


def _refuse_small(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """Reflection cannot fill the border of a photo that is smaller than the blur."""
    small = [photo for photo in photos if min(shrunk_size(photo.width, photo.height, config.max_side_px)) < config.largest_blur_px]
    if small:
        first = small[0]
        shrunk = "" if config.max_side_px is None else f", shrunk to max_side_px {config.max_side_px}"
        raise PhotoError(
            f"{len(small)} of {len(photos)} photos are smaller than the largest blur, {config.largest_blur_px} px:"
            f" {first.name} is {first.width} × {first.height} px{shrunk}."
            f" Leave out photos below {config.largest_blur_px} px a side when ingesting, or lower canvas_px and max_len_px of the blur"
        )


def _remove_strangers(out: Path, rows: tuple[Pair, ...]) -> None:
    """Pictures of an earlier or interrupted run with other photos or settings are no part of this set."""
    known = {file for row in rows for file in (row.blurred, row.sharp)}
    for split in SPLITS:
        for picture in [*(out / split / "blur").glob("*.png"), *(out / split / "sharp").glob("*.png")]:
            if picture.relative_to(out).as_posix() not in known:
                picture.unlink()
