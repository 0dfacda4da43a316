"""Make the pairs: `refocus synthesize RECIPE`.

Each photo is one item of work, on Ray workers or in this process; its pairs depend on the photo's
bytes and the settings alone, so that the folder comes out byte for byte the same whatever the
number of workers. On another kind of processor floating point may round the other way here and
there: single values then differ by one level.

With pictures as files, files are read and written here alone: workers get bytes and give bytes, so
they may be on machines that share no folder with this one. With pictures in shards no picture comes
here: workers read and write the team's store (`in_store.py`). Killed and run again, it makes no
finished photo twice (`unfinished_pairs.py`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from components.core.errors import PhotoError
from components.core.files import write_bytes
from components.core.quarantine import LATER_FILE as LEFT_OUT
from components.core.quarantine import LeftOut
from components.core.records import (
    SPLITS,
    OnTheFly,
    Pair,
    PairSet,
    Photo,
    PhotoSet,
    SourcePhoto,
    TargetPhoto,
    Unpaired,
)
from components.core.releases import NAME as RELEASES
from components.core.releases import releases
from components.services.cluster import map_in_order
from components.services.content import MANIFEST, ContentStore, FolderReader, Reader, ShardReader, reader_in
from components.synthesize.config import SynthesizeConfig
from components.synthesize.imported import refuse_settings
from components.synthesize.in_store import NEEDED, all_packed
from components.synthesize.made_pairs import KINDS, File, Made
from components.synthesize.photo import pairs_of, pairs_or_reason
from components.synthesize.photo_files import work_of
from components.synthesize.sheet import write_sheet
from components.synthesize.unfinished_pairs import Workbench
from components.synthesize.unfit import usable, without, writable

SHEET = "examples.png"
# Gives what was made its place in a set's folder, and what reads it there.
Deliver = Callable[[Path], Reader]


def run(config: SynthesizeConfig, photoset: PhotoSet, *, out: Path) -> PairSet:
    """Write SPLIT/input/*.png (what a net is given) and SPLIT/target/*.png (what it should make of
    it), one row a pair, and the record last. What lies below `out` stays until all pairs are made.

    With delivery on_the_fly the training photos get targets and no pairs. Photos that came with
    blurred pictures (ingest.pairs) become pairs as they are.
    A photo that is too small or too large, cannot be used for the task or lacks a map that a blur
    takes is left out, listed in left_out.json.
    Raises PhotoError when more are than the recipe allows, InputError when the disk cannot hold the
    pairs, and LineageError when a photo is not the one that was ingested.
    """
    photos = photoset.photos()
    refuse_settings(config, photos)
    ingested, photos = photos, usable(config, photos)
    bench = Workbench(config)
    if config.pictures == "files":
        bench.need_space(sum(_megabytes(config, photo) for photo in photos), out)
    photos = writable(config, ingested, photos)
    make = _all_made if config.pictures == "files" else _all_packed
    made, broken, deliver = make(config, photoset, photos, bench)
    left_out = without(config, ingested, broken)
    mean_colour = _mean_colour(made) if config.baseline == "mean_colour" else None
    # All is made and nothing can be refused any more: only now does an older set lose what it has.
    _remove_record(out)
    pictures = deliver(out)
    every = sorted((row for each in made for row in each.rows), key=lambda row: row.id)
    rows, sources, targets = (
        tuple(row for row in every if isinstance(row, Pair)),
        tuple(row for row in every if isinstance(row, SourcePhoto)),
        tuple(row for row in every if isinstance(row, TargetPhoto)),
    )
    if left_out.left_out:
        left_out.save(out, LEFT_OUT)
    if rows and not targets:
        write_sheet(out / SHEET, config, rows, pictures)
    counts = Counter(row.split for row in rows)
    record = PairSet(
        photoset=photoset.digest,
        config_digest=config.identity,
        task=config.task,
        scale=config.scale,
        baseline=config.baseline,
        mean_colour=mean_colour,
        counts={split: counts[split] for split in SPLITS},
        table_sha256=PairSet.write_table(out, rows),
        on_the_fly=_on_the_fly(config, sources, out) if config.delivery == "on_the_fly" else None,
        unpaired=_unpaired(rows, targets, out) if targets else None,
        about={
            **({"left_out": dict(left_out.kinds())} if left_out.left_out else {}),
            RELEASES: dict(releases()),
        },
    ).save(out)
    bench.close()
    if left_out.left_out:
        print(f"synthesize: left out {left_out.words()}; all reasons in {out / LEFT_OUT}", file=sys.stderr)
    return record


def _remove_record(out: Path) -> None:
    """A folder without its record is unfinished: the old record goes first, the new one comes last."""
    for name in (PairSet.FILE, PairSet.TABLE, PairSet.SOURCES, PairSet.TARGETS, MANIFEST, SHEET, LEFT_OUT):
        for old in (out / name, *out.glob(f".{name}.*")):
            old.unlink(missing_ok=True)


def _on_the_fly(config: SynthesizeConfig, sources: tuple[SourcePhoto, ...], out: Path) -> OnTheFly:
    """What training needs to make its pairs: the targets' table, and what is done to them."""
    return OnTheFly(
        degradation=config.degradation.model_dump(mode="json"),
        seed=config.seed,
        sources=len(sources),
        sources_sha256=PairSet.write_table(out, sources, PairSet.SOURCES),
    )


def _unpaired(rows: tuple[Pair, ...], targets: tuple[TargetPhoto, ...], out: Path) -> Unpaired:
    """The domain of targets, and how many scenes stand in both."""
    counts = Counter(row.split for row in targets)
    return Unpaired(
        targets={split: counts[split] for split in SPLITS},
        targets_sha256=PairSet.write_table(out, targets, PairSet.TARGETS),
        scenes_in_both=len({row.group for row in rows} & {row.group for row in targets}),
    )


def _all_made(
    config: SynthesizeConfig, photoset: PhotoSet, photos: tuple[Photo, ...], bench: Workbench
) -> tuple[list[Made], list[LeftOut], Deliver]:
    """What becomes of every photo, and which cannot be read after all; what an earlier run finished
    is taken from the bench. The pictures lie there until they are delivered.
    """
    made: list[Made] = []
    broken: list[LeftOut] = []
    left: list[Photo] = []
    files = reader_in(photoset.folder, "photos")
    for photo in photos:
        found = bench.finished(photo)
        if found is None:
            left.append(photo)
        else:
            work_of(config, photo, files)  # its bytes are looked at again
            made.append(found)
    if made:
        print(
            f"synthesize: {len(made)} of {len(photos)} photos were finished by an earlier run",
            file=sys.stderr,
        )
    work = (work_of(config, photo, files) for photo in left)
    megabytes = [_megabytes_read(config, photo) + _megabytes(config, photo) for photo in left]
    for result in map_in_order(
        pairs_or_reason, work, megabytes=megabytes, workers=config.workers, title="synthesize", unit="photos"
    ):
        if isinstance(result, File):
            bench.write(result)
        elif isinstance(result, LeftOut):
            broken.append(result)
        else:
            bench.note(result)
            made.append(result)

    def deliver(out: Path) -> Reader:
        pictures = {name for each in made for name in each.files}
        bench.deliver(sorted(pictures), out)
        _remove_strangers(out, pictures)
        return FolderReader(out)

    return made, broken, deliver


def _all_packed(
    config: SynthesizeConfig, photoset: PhotoSet, photos: tuple[Photo, ...], bench: Workbench
) -> tuple[list[Made], list[LeftOut], Deliver]:
    """The same with the pictures in the store, whose list is what is delivered."""
    megabytes = [_megabytes(config, photo) for photo in photos]
    packed = all_packed(config, photoset, photos, megabytes, bench.folder)

    def deliver(out: Path) -> Reader:
        _remove_strangers(out, set())
        write_bytes(out / MANIFEST, packed.index.to_bytes())
        return ShardReader(ContentStore.needed(NEEDED), packed.index)

    return list(packed.made), list(packed.broken), deliver


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


def _megabytes_read(config: SynthesizeConfig, photo: Photo) -> float:
    """Of a photo and what comes with it."""
    beside = sum(
        sum(each.size_bytes for each in came) for came in (photo.inputs, config.maps_of(photo), photo.frames)
    )
    return (photo.size_bytes + beside) / 1e6


def _megabytes(config: SynthesizeConfig, photo: Photo) -> float:
    """Room for a photo's pictures as if PNG saved nothing, which is nearly so with noise."""
    width, height = config.target_size(photo)
    # Each frame of a clip has its target. On the fly, a photo of more than 8 bits lies beside its target.
    beside = (
        2.0
        if config.delivery == "on_the_fly" and photo.split == "train"
        else pairs_of(config, photo) * (1 if config.clip is None else 2) / config.scale**2
    )
    return 3 * width * height * config.camera.bits / 8 * (1 + beside) / 1e6


def _remove_strangers(out: Path, known: set[str]) -> None:
    """Pictures of an earlier or interrupted run with other photos or settings are no part of this
    set.
    """
    for split in SPLITS:
        for picture in (path for kind in KINDS for path in (out / split / kind).glob("*.png")):
            if picture.relative_to(out).as_posix() not in known:
                picture.unlink()
