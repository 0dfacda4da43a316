"""Pairs made into the team's store: each task reads its photos there, or from this machine's folder,
and puts the pictures of some photos into one shard. What comes back are rows and places.

Which photos share a shard depends on the photos and the settings alone, so that any number of
workers, and a run after a kill, makes the same shards. A journal beside the bench has a line a
shard, and is trusted where the store still has that shard.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from components.core.parts import Part, canonical_json, digest_of
from components.core.quarantine import LeftOut
from components.core.records import Photo, PhotoSet
from components.services.cluster import is_cluster, map_in_order
from components.services.content import (
    ContentStore,
    FolderReader,
    Index,
    Reader,
    ShardReader,
    reader_in,
    renewed,
)
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import File, Made, photo_key
from components.synthesize.photo import pairs_or_reason
from components.synthesize.photo_files import names_of, work_of

SHARD_MB = 256.0  # of pictures as if PNG saved nothing: shards of 64 to 256 MB
NEEDED = "synthesize.pictures is shards, and they lie in the team's store"


class Packed(Part):
    """What became of the photos of one task, and where their pictures lie."""

    made: tuple[Made, ...]
    broken: tuple[LeftOut, ...]
    index: Index


@dataclass(frozen=True)
class Task:
    """Photos whose pictures share a shard. source: the PhotoSet's folder, or where the store has what
    is needed of it.
    """

    config: SynthesizeConfig
    photos: tuple[Photo, ...]
    source: Path | Index

    @property
    def key(self) -> str:
        """What its result depends on beside settings and code, which name the bench."""
        return digest_of([photo_key(self.config, photo) for photo in self.photos])


def all_packed(
    config: SynthesizeConfig,
    photoset: PhotoSet,
    photos: Sequence[Photo],
    megabytes: Sequence[float],
    bench: Path,
) -> Packed:
    """Make the pairs of all photos and put their pictures into the store; rows in the photos' order by
    split. bench: folder of what an earlier run finished.

    megabytes: of each photo's pictures. Raises InputError when no store is named.
    """
    store = ContentStore.needed(NEEDED)
    source = _source(store, config, photoset)
    tasks = [
        Task(config, group, source if isinstance(source, Path) else source.only(_names(config, group)))
        for group in _groups(photos, megabytes)
    ]
    journal = _Journal(bench / "packed.jsonl", store)
    found = {task.key: packed for task in tasks if (packed := journal.finished(task)) is not None}
    if found:
        print(
            f"synthesize: {len(found)} of {len(tasks)} shards were finished by an earlier run",
            file=sys.stderr,
        )
    left = [task for task in tasks if task.key not in found]
    done = map_in_order(
        packed_pairs,
        left,
        megabytes=[1.0] * len(left),  # what crosses are rows
        workers=config.workers,
        title="synthesize",
        unit="shards",
    )
    for task, packed in zip(left, done, strict=True):
        journal.note(task, packed)
        found[task.key] = packed
    index = Index(shards=(), files=())
    results = [found[task.key] for task in tasks]
    for each in results:
        index = index.joined(each.index)
    return Packed(
        made=tuple(made for each in results for made in each.made),
        broken=tuple(broken for each in results for broken in each.broken),
        index=index,
    )


def packed_pairs(task: Task) -> Iterator[Packed]:
    """Make the pairs of a task's photos, on whatever machine, and put them into one shard."""
    store = ContentStore.needed(NEEDED)
    source: Reader = (
        FolderReader(task.source) if isinstance(task.source, Path) else ShardReader(store, task.source)
    )
    made: list[Made] = []
    broken: list[LeftOut] = []

    def pictures() -> Iterator[tuple[str, bytes]]:
        for photo in task.photos:
            files: list[File] = []
            for result in pairs_or_reason(work_of(task.config, photo, source)):
                if isinstance(result, File):
                    files.append(result)
                elif isinstance(result, LeftOut):
                    broken.append(result)
                    files.clear()
                else:
                    made.append(result)
            yield from ((file.name, file.data) for file in files)

    index = store.send_shard(pictures())
    yield Packed(made=tuple(made), broken=tuple(broken), index=index)


def _source(store: ContentStore, config: SynthesizeConfig, photoset: PhotoSet) -> Path | Index:
    """Where the tasks read photos: on a cluster in the store, where they are put once."""
    files = reader_in(photoset.folder, "photos")
    if isinstance(files, ShardReader):
        return files.index
    if not (is_cluster() and config.workers):
        return photoset.folder
    store.send_folder(photoset.folder, photoset.digest)
    return store.index(photoset.digest)


def _groups(photos: Sequence[Photo], megabytes: Sequence[float]) -> Iterator[tuple[Photo, ...]]:
    """Photos of one split that fill a shard together, in their order."""
    group: list[Photo] = []
    size = 0.0
    by_split = sorted(zip(photos, megabytes, strict=True), key=lambda each: each[0].split)
    for photo, each in by_split:
        if group and (size + each > SHARD_MB or group[-1].split != photo.split):
            yield tuple(group)
            group, size = [], 0.0
        group.append(photo)
        size += each
    if group:
        yield tuple(group)


def _names(config: SynthesizeConfig, photos: Sequence[Photo]) -> list[str]:
    return [name for photo in photos for name in names_of(config, photo)]


class _Journal:
    """What earlier runs finished, a line a task; a line that a kill cut off does not count."""

    def __init__(self, path: Path, store: ContentStore) -> None:
        self._path, self._store = path, store
        self._lines: dict[str, Packed] = {}
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                entry = _Line.model_validate_json(line)
            except ValidationError:
                continue
            self._lines[entry.key] = entry.packed

    def finished(self, task: Task) -> Packed | None:
        """What became of a task, if the store still has its shard."""
        packed = self._lines.get(task.key)
        if (
            packed is None
            or any(self._store.problems(packed.index))
            or not renewed(self._store, packed.index)
        ):
            return None
        return packed

    def note(self, task: Task, packed: Packed) -> None:
        """Write down that a task is finished; begun anew, so that a line cut off spoils none."""
        line = canonical_json(_Line(key=task.key, packed=packed).model_dump(mode="json"))
        with self._path.open("ab", buffering=0) as stream:
            stream.write(f"\n{line}\n".encode())


class _Line(Part):
    key: str
    packed: Packed
