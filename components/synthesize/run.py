"""Make the pairs: `refocus synthesize RECIPE`.

Each photo is one item of work, on Ray workers or in this process; its pairs depend on the photo's
bytes and the settings alone, so that the folder comes out byte for byte the same whatever the
number of workers. On another kind of processor floating point may round the other way here and
there: single values then differ by one level.

Files are read and written here alone: workers get bytes and give bytes, so they may be on machines
that share no folder with this one. Killed and run again, it makes no finished photo twice
(`workbench.py`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from components.core.errors import LineageError, PhotoError
from components.core.files import sha256_of_bytes
from components.core.records import (
    SPLITS,
    OnTheFly,
    Pair,
    PairedInput,
    PairSet,
    Photo,
    PhotoMap,
    PhotoSet,
    SourcePhoto,
)
from components.services.cluster import map_in_order
from components.synthesize.config import SynthesizeConfig
from components.synthesize.imported import refuse_settings
from components.synthesize.made_pairs import KINDS, File, Made, Work
from components.synthesize.maps import refuse_unmapped
from components.synthesize.photo import pairs_of, pairs_of_photo
from components.synthesize.sheet import write_sheet
from components.synthesize.unfinished_pairs import Workbench

SHEET = "examples.png"


def run(config: SynthesizeConfig, photoset: PhotoSet, *, out: Path) -> PairSet:
    """Write SPLIT/input/*.png (what a net is given) and SPLIT/target/*.png (what it should make of
    it), one row a pair, and the record last.

    With delivery on_the_fly the training photos get targets and no pairs. Photos that came with
    blurred pictures (ingest.pairs) become pairs as they are.
    Raises PhotoError when a photo is too small, cannot be used for the task or lacks a map that a
    blur takes, InputError when the disk cannot hold the pairs, and LineageError when a photo is not
    the one that was ingested.
    """
    photos = photoset.photos()
    refuse_settings(config, photos)
    _refuse_unusable(config, photos)
    refuse_unmapped(config, photos)
    _refuse_small(config, photos)
    bench = Workbench(config)
    bench.need_space(sum(_megabytes(config, photo) for photo in photos), out)
    _refuse_large(config, photos)
    # A folder without its record is unfinished: the old record goes first, the new one comes last.
    for name in (PairSet.FILE, PairSet.TABLE, PairSet.SOURCES, SHEET):
        for old in (out / name, *out.glob(f".{name}.*")):
            old.unlink(missing_ok=True)
    made = _all_made(config, photoset, photos, bench)
    every = sorted((row for each in made for row in each.rows), key=lambda row: row.id)
    rows, sources = (
        tuple(row for row in every if isinstance(row, Pair)),
        tuple(row for row in every if isinstance(row, SourcePhoto)),
    )
    pictures = {name for each in made for name in each.files}
    bench.deliver(sorted(pictures), out)
    _remove_strangers(out, pictures)
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
        on_the_fly=_on_the_fly(config, sources, out) if config.delivery == "on_the_fly" else None,
    ).save(out)
    bench.close()
    return record


def _on_the_fly(config: SynthesizeConfig, sources: tuple[SourcePhoto, ...], out: Path) -> OnTheFly:
    """What training needs to make its pairs: the targets' table, and what is done to them."""
    return OnTheFly(
        degradation=config.degradation.model_dump(mode="json"),
        seed=config.seed,
        sources=len(sources),
        sources_sha256=PairSet.write_table(out, sources, PairSet.SOURCES),
    )


def _all_made(
    config: SynthesizeConfig, photoset: PhotoSet, photos: tuple[Photo, ...], bench: Workbench
) -> list[Made]:
    """What becomes of every photo; what an earlier run finished is taken from the bench."""
    made: list[Made] = []
    left: list[Photo] = []
    for photo in photos:
        found = bench.finished(photo)
        if found is None:
            left.append(photo)
        else:
            _work(config, photoset, photo)  # its bytes are looked at again
            made.append(found)
    if made:
        print(
            f"synthesize: {len(made)} of {len(photos)} photos were finished by an earlier run",
            file=sys.stderr,
        )
    work = (_work(config, photoset, photo) for photo in left)
    megabytes = [_megabytes_read(config, photo) + _megabytes(config, photo) for photo in left]
    for result in map_in_order(
        pairs_of_photo, work, megabytes=megabytes, workers=config.workers, title="synthesize", unit="photos"
    ):
        if isinstance(result, File):
            bench.write(result)
        else:
            bench.note(result)
            made.append(result)
    return made


def _mean_colour(made: Iterable[Made]) -> tuple[int, int, int]:
    """The mean of all training targets' pixels per channel, rounded half up; whole numbers, so that
    no order changes it.
    """
    train = [each for each in made if each.split == "train"]
    if not train:
        raise PhotoError(
            "baseline mean_colour is the mean over the training photos, and there are none; give more photos,"
            " or set translate.baseline to input"
        )
    pixels = sum(each.rows[0].width * each.rows[0].height for each in train)
    sums = [each.colour_sum for each in train if each.colour_sum is not None]
    red, green, blue = (
        (2 * sum(colours[channel] for colours in sums) + pixels) // (2 * pixels) for channel in range(3)
    )
    return red, green, blue


def _work(config: SynthesizeConfig, photoset: PhotoSet, photo: Photo) -> Work:
    """A photo with its bytes, those of the blurred pictures that came with it, and those of the
    maps that are used.
    """
    maps = {each.kind: _read(photoset, each) for each in config.maps_of(photo)}
    return Work(
        config, photo, _read(photoset, photo), tuple(_read(photoset, input) for input in photo.inputs), maps
    )


def _read(photoset: PhotoSet, picture: Photo | PairedInput | PhotoMap) -> bytes:
    """A picture's bytes, which are its identity. Raises LineageError when they are missing or
    others.
    """
    source = photoset.folder / picture.file
    data = source.read_bytes() if source.is_file() else b""
    if sha256_of_bytes(data) != picture.id:
        raise LineageError(
            f"{source} is missing or was altered: it is not the picture {picture.name} that was ingested; run"
            " ingest again"
        )
    return data


def _megabytes_read(config: SynthesizeConfig, photo: Photo) -> float:
    """Of a photo and what comes with it."""
    input, maps = (
        sum(each.size_bytes for each in photo.inputs),
        sum(each.size_bytes for each in config.maps_of(photo)),
    )
    return (photo.size_bytes + input + maps) / 1e6


def _megabytes(config: SynthesizeConfig, photo: Photo) -> float:
    """Room for a photo's pictures as if PNG saved nothing, which is nearly so with noise."""
    width, height = config.target_size(photo)
    # On the fly, a photo of more than 8 bits lies beside its target.
    beside = (
        2.0
        if config.delivery == "on_the_fly" and photo.split == "train"
        else pairs_of(config, photo) / config.scale**2
    )
    return 3 * width * height * config.camera.bits / 8 * (1 + beside) / 1e6


def _refuse_unusable(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """A translation needs photos in which input and target can be found."""
    refused = (
        []
        if config.translate is None
        else [(photo.name, why) for photo in photos if (why := config.translate.refusal(photo)) is not None]
    )
    if refused:
        name, why = refused[0]
        raise PhotoError(
            f"{len(refused)} of {len(photos)} photos cannot be used: {name}: {why}. Take them out of the"
            " folder that is ingested"
        )


def _refuse_small(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """Reflection cannot fill the border of a photo that is smaller than the blur; of a tiny one
    nothing is left to learn.
    """
    needed = config.smallest_px
    small = [photo for photo in photos if not photo.inputs and min(config.target_size(photo)) < needed]
    if small:
        first = small[0]
        width, height = config.target_size(first)
        target = (
            "" if (width, height) == (first.width, first.height) else f", its target {width} × {height} px"
        )
        blur = needed == config.largest_blur_px
        raise PhotoError(
            f"{len(small)} of {len(photos)} photos are smaller than"
            f" {'the largest blur' if blur else 'the least that can be used'}, {needed} px: {first.name} is"
            f" {first.width} × {first.height} px{target}. Leave out photos below {needed} px a side when"
            f" ingesting{f', or make {config.largest_blur} smaller' if blur else ''}"
        )


def _refuse_large(config: SynthesizeConfig, photos: tuple[Photo, ...]) -> None:
    """A codec's file has no room for longer sides."""
    longest = None if config.camera.largest_px is None else config.camera.largest_px * config.scale
    large = [] if longest is None else [photo for photo in photos if max(config.target_size(photo)) > longest]
    if large:
        raise PhotoError(
            f"{len(large)} of {len(photos)} photos are larger than"
            f" camera.{' or camera.'.join(config.camera.codecs)} can write, {longest} px a side:"
            f" {large[0].name} is {large[0].width} × {large[0].height} px. Set synthesize.max_side_px to"
            f" {longest} or less, or leave them out"
        )


def _remove_strangers(out: Path, known: set[str]) -> None:
    """Pictures of an earlier or interrupted run with other photos or settings are no part of this
    set.
    """
    for split in SPLITS:
        for picture in (path for kind in KINDS for path in (out / split / kind).glob("*.png")):
            if picture.relative_to(out).as_posix() not in known:
                picture.unlink()
