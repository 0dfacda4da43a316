"""Take sharp photos in: `refocus ingest RECIPE`; real pairs, with `ingest.pairs`, by
components/ingest/pairs/run.py.

Reads every photo at the source once, one at a time; keeps its bytes untouched under originals/,
lists what cannot be used in quarantine.json, and writes the PhotoSet last, so that a run cut short
leaves the old one. The same photos give the same folder byte for byte, whatever order they are
found in. Kept in memory: one photo, and 2 kB for each seen. Masks and depth maps that lie beside
photos become a part of their rows (maps.py).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.core.errors import PhotoError
from components.core.files import need_free_space
from components.core.images import Header
from components.core.photo_names import EXTENSION_OF
from components.core.progress import tracked
from components.core.quarantine import Quarantine
from components.core.records import ClipFrame, Photo, PhotoMap, PhotoSet
from components.ingest import domains
from components.ingest.account import LastTime, Took, closing_words, counts_of, refuse_loss, taken_words
from components.ingest.candidate import Candidate
from components.ingest.config import ByContent, IngestConfig
from components.ingest.decoded_before import Known
from components.ingest.examine import Facts, bytes_of, examine, refuse_unfit
from components.ingest.maps import take_maps
from components.ingest.near_duplicates import Groups, first_of_groups, near_duplicates
from components.ingest.originals import Originals
from components.ingest.paired_tests import PairedTests, take_in
from components.ingest.pairs.import_pairs import Reasons
from components.ingest.pairs.run import run as take_pairs
from components.ingest.refusals import nothing_words, refuse_empty_split
from components.ingest.source import Found, Source, look
from components.ingest.split import SET_ASIDE, Verdict, decide
from components.ingest.told import settings_of
from components.ingest.videos import look_at_videos


def run(config: IngestConfig, *, out: Path) -> PhotoSet:
    """Write originals/, photos.jsonl, quarantine.json and photoset.json below `out`.

    Raises PhotoError when there is no photo, none that can be used, too few for three splits, more
    unusable than the recipe allows, or many fewer than the last run took; ServiceError when a
    bucket does not answer; InputError when the disk cannot hold the photos. Nothing new stays
    behind then.
    """
    if config.pairs is not None and config.domains is None:
        return take_pairs(config, out=out)
    with Originals(out) as originals:
        source = _source(config, originals, out)
        _need_room(source, originals, out)
        taken = _taken(source, config, originals, out)
        quarantine = taken.quarantine(source)
        refuse_empty_split(taken.photos, config, quarantine, out)
        if config.domains is not None:
            domains.refuse_empty(taken.photos, config.photos)
        total = len(source.found) + len(source.strays)
        refuse_loss(Quarantine.of(taken.reasons, {}), total, config, "photos", out)
        rows = taken.rows
        last, taken_now = LastTime(config, out), {row.id: Took(row.name, row.split) for row in rows}
        last.refuse_shrinking(taken_now, quarantine, "photos")
        quarantine.save(out)
        record = PhotoSet(
            counts=counts_of(rows),
            table_sha256=PhotoSet.write_table(out, rows),
            about={
                "source": source.kind,
                PhotoSet.SETTINGS: settings_of(config),
                "left_out": dict(quarantine.kinds()),
                "ignored": dict(quarantine.ignored),
            },
        ).save(out)
    originals.drop_others({file for row in rows for file in row.files})
    if source.kind != "bundled":
        last.note(taken_now)
    words = taken_words(source, taken.photos, len(taken.reasons), len(taken.unfit))
    words += f": {domains.words_of(taken.photos)}" if config.domains is not None else ""
    words += "" if taken.tests is None else f"; {taken.tests.words}"
    print(closing_words(words, source.seen, quarantine, source.passed, out), file=sys.stderr)
    return record


def _source(config: IngestConfig, originals: Originals, out: Path) -> Source:
    """What lies there: photos, those of two domains, or clips out of videos."""
    if config.clips is not None:
        return look_at_videos(config, originals, out=out)
    source = look(config, out=out)
    return source if config.domains is None else domains.parted(source, config)


@dataclass(frozen=True)
class _Taken:
    """What becomes of a source. photos: rows of those that lie there for themselves, ordered by id;
    reasons and unfit: of photos and of maps that are left out.
    """

    photos: tuple[Photo, ...]
    reasons: Reasons
    unfit: Reasons
    tests: PairedTests | None

    @property
    def rows(self) -> tuple[Photo, ...]:
        """All rows, ordered by id."""
        of_pairs = () if self.tests is None else self.tests.rows
        return tuple(sorted((*self.photos, *of_pairs), key=lambda row: row.id))

    def quarantine(self, source: Source) -> Quarantine:
        """Everything that is left out."""
        of_pairs = () if self.tests is None else self.tests.reasons
        return Quarantine.of([*self.reasons, *self.unfit, *of_pairs], source.ignored)


def _taken(source: Source, config: IngestConfig, originals: Originals, out: Path) -> _Taken:
    """Read and judge everything at the source."""
    candidates, reasons = _examined(source, config, originals)
    if not candidates:
        raise PhotoError(nothing_words(config, source, Quarantine.of(reasons, source.ignored), out))
    candidates = _without_reserve(candidates, config, reasons)
    tests = None
    if config.domains is not None and config.pairs is not None:
        tests = take_in(source.of_pairs, config, originals, out)
        candidates = tests.apart(candidates, config, reasons)
    verdict = _decided(candidates, config, source)
    reasons += _left_out(candidates, verdict, config)
    used = [candidate for candidate in candidates if candidate.id in verdict.splits]
    maps, unfit = take_maps(
        source.maps,
        [candidate.owner(config) for candidate in used],
        {found.name for found in source.found},
        config,
        originals,
    )
    photos = tuple(_row(candidate, verdict, config, maps[candidate.id]) for candidate in used)
    return _Taken(photos, reasons, unfit, tests)


def _need_room(source: Source, originals: Originals, out: Path) -> None:
    """InputError unless the disk holds what is not there yet."""
    if source.found:
        files = (*source.found, *source.maps, *source.of_pairs)
        megabytes = sum(found.size_bytes for found in files) / 1e6
        need_free_space(out, megabytes - originals.megabytes(), "ingest")


def _without_reserve(
    candidates: list[Candidate], config: IngestConfig, reasons: list[tuple[str, str]]
) -> list[Candidate]:
    """Those of the present splits; the others are added to the reasons."""
    aside = [candidate for candidate in candidates if candidate.is_set_aside(config)]
    reasons += [(found.name, SET_ASIDE) for candidate in aside for found in candidate.found]
    if len(aside) == len(candidates):
        raise PhotoError(
            f"all {len(aside)} usable photos at {config.photos} lie in the reserve; lower"
            " ingest.split.reserve"
        )
    return [candidate for candidate in candidates if not candidate.is_set_aside(config)]


def _examined(
    source: Source, config: IngestConfig, originals: Originals
) -> tuple[list[Candidate], list[tuple[str, str]]]:
    """Read every file found: usable photos ordered by id, and (name, reason) for the others."""
    candidates: dict[str, Candidate] = {}
    reasons: list[tuple[str, str]] = list(source.strays)
    known = Known()
    try:
        for found in tracked(source.found, "ingest", len(source.found), "photos"):
            try:
                data, photo = bytes_of(found, config)
                facts = _facts(data, photo, found, config, known)
            except PhotoError as error:
                reasons.append((found.name, str(error)))
                continue
            if photo in candidates and candidates[photo].domain != found.domain:
                first = candidates[photo].found[0].name
                reasons.append((found.name, f"both domains: the same bytes as {first}, of the other domain"))
                continue
            if photo not in candidates:
                kept = originals.keep(photo, EXTENSION_OF[facts.format], data)
                following = tuple(_followed(frame, config, originals) for frame in found.frames)
                candidates[photo] = Candidate(photo, facts, kept, len(data), frames=following)
            candidates[photo].found.append(found)
    finally:
        known.save()
    return [candidates[photo] for photo in sorted(candidates)], reasons


def _followed(found: Found, config: IngestConfig, originals: Originals) -> ClipFrame:
    """A further frame of a clip, which is of its first one's video and so like that."""
    data, frame = bytes_of(found, config)
    return ClipFrame(id=frame, file=originals.keep(frame, "png", data), name=found.name, size_bytes=len(data))


def _facts(data: bytes, photo: str, found: Found, config: IngestConfig, known: Known) -> Facts:
    facts = known.get(photo)
    if facts is None:
        facts = examine(data, found.name, config)
        known.add(photo, facts)
    else:
        refuse_unfit(Header(facts.format, facts.width, facts.height), found.name, config)
    return facts


def _decided(candidates: list[Candidate], config: IngestConfig, source: Source) -> Verdict:
    thumbnails = np.stack([candidate.facts.thumbnail for candidate in candidates])
    shapes = np.array([candidate.facts.width / candidate.facts.height for candidate in candidates])
    roots = near_duplicates(thumbnails, shapes, config.near_duplicate_bits)
    groups = first_of_groups(_with_folders(roots, candidates, config) if config.by_folders else roots)
    ids = [[candidates[place].id for place in members] for members in groups.values()]
    fillable = config.split if isinstance(config.split, ByContent) and source.kind != "bundled" else None
    splits = {candidate.id: candidate.own_split(config) for candidate in candidates}
    own = {candidate.id: candidate.domain for candidate in candidates if candidate.domain is not None}
    if own and fillable is not None:
        return domains.filled(decide(ids, splits, None), own, fillable)
    return decide(ids, splits, fillable)


def _with_folders(roots: list[int], candidates: list[Candidate], config: IngestConfig) -> list[int]:
    """Groups of near duplicates that are also one where their photos lie in one folder."""
    linked = Groups(len(candidates))
    first_seen: dict[str, int] = {}
    for place, candidate in enumerate(candidates):
        linked.join(place, roots[place])
        linked.join(place, first_seen.setdefault(candidate.key(config), place))
    return [int(root) for root in linked.roots()]


def _left_out(candidates: list[Candidate], verdict: Verdict, config: IngestConfig) -> list[tuple[str, str]]:
    """Names that are left out since the same picture, or nearly the same, stands in an earlier
    split.
    """
    by_id = {candidate.id: candidate for candidate in candidates}
    reasons = []
    for candidate in candidates:
        own = candidate.own_split(config)
        first = candidate.named(own)[0].name
        if candidate.id in verdict.left_out:
            twin = by_id[verdict.left_out[candidate.id]]
            side = verdict.splits[twin.id]
            twin_name = twin.named(twin.own_split(config))[0].name
            reasons += [
                (found.name, f"near duplicate: of {twin_name}, which is in {side}")
                for found in candidate.found
            ]
        else:
            reasons += [
                (found.name, f"same bytes: as {first}, which is in {own}")
                for found in candidate.found
                if found.split not in (None, own)
            ]
    return reasons


def _row(candidate: Candidate, verdict: Verdict, config: IngestConfig, maps: tuple[PhotoMap, ...]) -> Photo:
    first, *others = candidate.named(candidate.own_split(config))
    return Photo(
        id=candidate.id,
        file=candidate.file,
        name=first.name,
        also_named=tuple(found.name for found in others),
        size_bytes=candidate.size_bytes,
        width=candidate.facts.width,
        height=candidate.facts.height,
        channels=candidate.facts.channels,
        bits=candidate.facts.bits,
        split=verdict.splits[candidate.id],
        group=verdict.groups[candidate.id],
        origin=first.origin,
        licence=first.licence,
        domain=candidate.domain,
        frames=candidate.frames,
        maps=maps,
    )
