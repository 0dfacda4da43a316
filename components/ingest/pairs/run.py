"""Take real pairs in: `refocus ingest RECIPE` of a recipe with `ingest.pairs`.

Both pictures' bytes stay untouched under originals/; a row of the PhotoSet is a sharp photo with
the blurred pictures given with it. Everything is
checked before the record is written: that each blurred picture has one sharp one, that they have
one size, show the same and lie on each other, and that nothing stands in train and test. What is
left out is listed with its reason in quarantine.json, and counted in the last line.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components.core.errors import PhotoError
from components.core.files import need_free_space
from components.core.photo_names import FORMAT_OF, composed, extension_of
from components.core.progress import tracked
from components.core.quarantine import Quarantine
from components.core.records import SPLITS, Photo, PhotoSet, Split
from components.core.video import VIDEOS
from components.ingest.account import NOTHING, LastTime, Took, closing_words, refuse_loss, refused_words
from components.ingest.config import ByContent, ByFolder, IngestConfig
from components.ingest.originals import Originals
from components.ingest.pairs.clips import clips_of, from_clips
from components.ingest.pairs.frame_average import FrameAverage
from components.ingest.pairs.import_pairs import Desk, Reasons, Taken, from_files
from components.ingest.pairs.layout import Layout
from components.ingest.pairs.pair_splits import Settled, settle
from components.ingest.source import Found, everything, strays_of
from components.ingest.told import settings_of

BESIDE = "pictures that the layout does not name"


def run(config: IngestConfig, *, out: Path) -> PhotoSet:
    """Write originals/, photos.jsonl, quarantine.json and photoset.json below `out`.

    Raises PhotoError when there is no pair, none that can be used, too few scenes for three splits,
    or when a set leaks from its test split into training; ServiceError when a bucket does not
    answer; InputError when the disk cannot hold the pictures. Nothing new stays behind then.
    """
    assert config.pairs is not None, "photos without pairs are taken in by components.ingest.run"
    kind, found, passed = everything(config, out=out)
    with Originals(out) as originals:
        desk = Desk(config, config.pairs, originals)
        try:
            taken, reasons = _taken(found, config, out, desk)
        finally:
            desk.save()
        if isinstance(config.split, ByFolder):
            names = [pair.input.name for pair in taken if pair.split is None]
            reasons += strays_of(names, len(taken), "pairs")
            taken = [pair for pair in taken if pair.split is not None]
        ignored = _ignored(found, taken, reasons, config)
        if not taken:
            raise PhotoError(_nothing(config, found, Quarantine.of(reasons, ignored), out))
        settled = settle(taken, config)
        quarantine = Quarantine.of([*reasons, *settled.left_out], ignored)
        rows = rows_of(settled)
        _refuse_empty_split(rows, settled, config)
        refuse_loss(quarantine, len(taken) + len(reasons), config, "pairs", out)
        last = LastTime(config, out)
        inputs = {input.id: Took(input.name, row.split) for row in rows for input in row.inputs}
        last.refuse_shrinking(inputs, quarantine, "pairs")
        quarantine.save(out)
        counts = Counter(row.split for row in rows)
        words, facts = _summary(settled, config.pairs)
        record = PhotoSet(
            counts={split: counts[split] for split in SPLITS},
            table_sha256=PhotoSet.write_table(out, rows),
            about={
                "source": kind,
                PhotoSet.SETTINGS: settings_of(config),
                "left_out": dict(quarantine.kinds()),
                "ignored": dict(quarantine.ignored),
                **facts,
            },
        ).save(out)
    originals.drop_others({file for row in rows for file in row.files})
    last.note(inputs)
    seen = len(found) + sum(passed.values())
    print(closing_words(words, seen, quarantine, passed, out), file=sys.stderr)
    return record


def _ignored(
    found: Sequence[Found], taken: Sequence[Taken], reasons: Sequence[tuple[str, str]], config: IngestConfig
) -> Counter[str]:
    """What lies there and is in no pair of this layout: by extension, and pictures of it elsewhere."""
    of_use = {*FORMAT_OF, *VIDEOS} if isinstance(config.pairs, FrameAverage) else set(FORMAT_OF)
    ignored = Counter(extension_of(file.name) for file in found if extension_of(file.name) not in of_use)
    if isinstance(config.pairs, FrameAverage):
        return ignored
    spoken_for = {name for name, _ in reasons}
    spoken_for |= {name for pair in taken for name in (pair.input.name, pair.target.name)}
    beside = sum(extension_of(file.name) in FORMAT_OF and file.name not in spoken_for for file in found)
    return ignored + Counter({BESIDE: beside})


def _taken(
    found: Sequence[Found], config: IngestConfig, out: Path, desk: Desk
) -> tuple[list[Taken], Reasons]:
    """Every pair at the source that can be used, and why the others cannot."""
    assert config.pairs is not None
    if isinstance(config.pairs, FrameAverage):
        return from_clips(clips_of(found), config.pairs, out, desk)
    files = {file.name: file for file in found}
    listing = config.pairs.listing(list(files), lambda name: _text(files[name]))
    wanted = {name for named in listing.pairs for name in (named.input, *named.target[:1])}
    if not wanted:
        return [], list(listing.alone)
    need_free_space(
        out, sum(files[name].size_bytes for name in wanted) / 1e6 - desk.originals.megabytes(), "ingest"
    )
    return from_files(listing, files, desk, tracked(listing.pairs, "ingest", len(listing.pairs), "pairs"))


def _text(file: Found) -> str:
    """A list of names, composed as those of the files; a byte that is no UTF-8 spoils its line
    alone.
    """
    return composed(file.read().decode("utf-8-sig", errors="backslashreplace"))


def rows_of(settled: Settled) -> tuple[Photo, ...]:
    """One row a sharp photo, ordered by id, with its blurred pictures in the order of names."""
    by_photo: dict[str, list[tuple[Taken, Split]]] = {}
    for pair, split in settled.pairs:
        by_photo.setdefault(pair.target.id, []).append((pair, split))
    rows = []
    for photo in sorted(by_photo):
        pairs = sorted(by_photo[photo], key=lambda item: (item[0].target.name, item[0].input.name))
        (first, split), facts = pairs[0], pairs[0][0].target.facts
        names = list(dict.fromkeys(pair.target.name for pair, _ in pairs))
        rows.append(
            Photo(
                id=photo,
                file=first.target.file,
                name=names[0],
                also_named=tuple(names[1:]),
                size_bytes=first.target.size_bytes,
                width=facts.width,
                height=facts.height,
                channels=facts.channels,
                bits=facts.bits,
                split=split,
                group=settled.groups[photo],
                origin=first.origin,
                inputs=tuple(pair.input for pair, _ in pairs),
            )
        )
    return tuple(rows)


def _summary(settled: Settled, layout: Layout) -> tuple[str, dict[str, int | float]]:
    """What came in, in words and as facts: pairs, scenes, splits, the largest shift."""
    counts = Counter(split for _, split in settled.pairs)
    scenes = len({pair.input.scene for pair, _ in settled.pairs})
    far = max((pair.input for pair, _ in settled.pairs), key=lambda input: math.hypot(*input.shift_px))
    largest = math.hypot(*far.shift_px)
    moved = " before both were cut into place" if layout.align == "shift" else ""
    splits = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
    words = (
        f"{len(settled.pairs)} pairs in {scenes} {'scene' if scenes == 1 else 'scenes'} ({splits}), largest"
        f" shift {largest:.2f} px ({far.name}){moved}"
    )
    return words, {"pairs": len(settled.pairs), "scenes": scenes, "largest_shift_px": round(largest, 2)}


def _nothing(config: IngestConfig, found: Sequence[Found], quarantine: Quarantine, out: Path) -> str:
    assert config.pairs is not None
    if quarantine.left_out:
        return (
            f"no usable pair at {config.photos}: all were left out ({refused_words(quarantine, out)});"
            f" {config.pairs.kind} needs {config.pairs.LIES}"
        )
    there = (
        f"found there: {len(found)} {'file' if len(found) == 1 else 'files'}, the first {found[0].name}"
        if found
        else NOTHING
    )
    return (
        f"no pairs at {config.photos}: {config.pairs.kind} needs {config.pairs.LIES}; {there}. Give the"
        " folder above them, or another kind of ingest.pairs"
    )


def _refuse_empty_split(rows: Sequence[Photo], settled: Settled, config: IngestConfig) -> None:
    """Content is asked for three splits; folders, published sets and one_split may have any, and
    training refuses what it lacks itself.
    """
    empty = [split for split in SPLITS if not any(row.split == split for row in rows)]
    if (
        empty
        and isinstance(config.split, ByContent)
        and config.pairs is not None
        and not config.pairs.OWN_SPLITS
    ):
        scenes = len({pair.input.scene for pair, _ in settled.pairs})
        raise PhotoError(
            f"train, val and test need at least 3 different scenes, {config.photos} has {scenes} usable (the"
            " pictures of a scene stay together, near duplicates count as one); add scenes, or set"
            " ingest.split to {kind: one_split, split: test} to measure on all of them"
        )
