"""What lies at the source: every file with a photo's extension, by name, with a way to read it;
maps of photos apart. Nothing is opened here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from components.core.errors import PhotoError
from components.core.records import SPLITS, MapKind, Split
from components.ingest import bundled
from components.ingest.config import BUNDLED, ByFolder, IngestConfig
from components.services import storage

FORMAT_OF = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".png": "PNG",
    ".webp": "WEBP",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
}
MAP_KINDS: tuple[MapKind, ...] = ("mask", "depth")


@dataclass(frozen=True)
class Found:
    """A file that may be a photo."""

    name: str  # relative to the source, with /
    size_bytes: int
    read: Callable[[], bytes]
    at: Path | str = ""  # a file, or an object's s3:// address
    split: Split | None = None  # None: to be decided by content
    origin: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Source:
    """All that was found, in the order of names; what has no photo's extension is only counted."""

    kind: str  # bundled, folder or s3
    found: tuple[Found, ...]
    maps: tuple[Found, ...] = ()  # masks and depth maps, by their names
    ignored: dict[str, int] = field(default_factory=dict)  # extension ("" for none) to files


def look(config: IngestConfig, *, out: Path) -> Source:
    """List the source. `out` is never taken for a part of it.

    Raises PhotoError when there is no such folder, or when a photo lies outside train/, val/ and
    test/ and folders decide the split; ServiceError when a bucket does not answer.
    """
    if config.photos == BUNDLED:
        return Source(
            "bundled",
            tuple(
                sorted((_bundled(photo) for photo in bundled.BUNDLED_PHOTOS), key=lambda found: found.name)
            ),
        )
    kind, seen = everything(config, out=out)
    maps = tuple(file for file in seen if map_kind(file.name) is not None)
    photos = [file for file in seen if extension_of(file.name) in FORMAT_OF and map_kind(file.name) is None]
    ignored = Counter(extension_of(file.name) for file in seen if extension_of(file.name) not in FORMAT_OF)
    if isinstance(config.split, ByFolder):
        photos = [_by_top_folder(file) for file in photos]
    return Source(kind, tuple(photos), maps, dict(sorted(ignored.items())))


def everything(config: IngestConfig, *, out: Path) -> tuple[str, list[Found]]:
    """What kind of source it is (folder or s3), and every file there that is not hidden, whatever
    its extension, in the order of names.
    """
    if storage.is_s3(config.photos):
        kind, files = (
            "s3",
            [_in_bucket(config.photos, key, size) for key, size in storage.list_objects(config.photos)],
        )
    else:
        kind, files = (
            "folder",
            [_in_folder(name, path) for name, path in _walk(_top(config.photos, out), out)],
        )
    seen = [
        file for file in files if not any(part.startswith(".") for part in PurePosixPath(file.name).parts)
    ]
    return kind, sorted(seen, key=lambda found: found.name)


def extension_of(name: str) -> str:
    """The extension in small letters with its dot; empty where there is none."""
    return PurePosixPath(name).suffix.lower()


def map_kind(name: str) -> MapKind | None:
    """Which map of a photo a file is by its name: b.mask.png or b.depth.png beside b.jpg; None for
    any other file.

    >>> map_kind("a/b.mask.png"), map_kind("mask.png")
    ('mask', None)
    """
    return next((kind for kind in MAP_KINDS if name.lower().endswith(f".{kind}.png")), None)


def _bundled(photo: bundled.Bundled) -> Found:
    path = bundled.path_of(photo)
    return Found(
        f"{photo.package}/{PurePosixPath(photo.file).name}",
        path.stat().st_size,
        path.read_bytes,
        path,
        photo.split,
        photo.origin,
        photo.licence,
    )


def _in_bucket(uri: str, key: str, size: int) -> Found:
    address = storage.join(uri, key)
    return Found(key, size, lambda: storage.read_object(address), address)


def _in_folder(name: str, path: Path) -> Found:
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # a link to nothing: reading it will say so
    return Found(name, size, path.read_bytes, path)


def _top(photos: str, out: Path) -> Path:
    top = Path(photos).expanduser()
    if top.is_file():
        raise PhotoError(
            f"ingest.photos must be a folder, {photos} is a file; give the folder it lies in (an archive must"
            " be unpacked first)"
        )
    if not top.is_dir():
        where = "" if top.is_absolute() and str(top) == photos else f" (looked for {top.absolute()})"
        raise PhotoError(
            f"no folder {photos}{where}; give ingest.photos, or --photos, a folder of sharp photos or"
            " s3://bucket/prefix"
        )
    if top.resolve().is_relative_to(out.resolve()):
        raise PhotoError(
            f"the photos at {photos} lie inside this stage's own output folder, {out}; move them elsewhere"
        )
    return top


def _walk(top: Path, out: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its printable name; links are followed, a circle of links only
    once, `out` never.
    """
    finished = {out.resolve(), top.resolve()}
    for folder, below, files in os.walk(top, followlinks=True):
        here = Path(folder)
        below[:] = sorted(
            name for name in below if not name.startswith(".") and _first_visit(here / name, finished)
        )
        for name in sorted(files):
            path = here / name
            if path.is_file() or path.is_symlink():
                yield os.fsencode(path.relative_to(top).as_posix()).decode("utf-8", "backslashreplace"), path


def _first_visit(folder: Path, finished: set[Path]) -> bool:
    place = folder.resolve()
    if place in finished:
        return False
    finished.add(place)
    return True


def _by_top_folder(file: Found) -> Found:
    top = PurePosixPath(file.name).parts[0]
    for split in SPLITS:
        if top == split and top != file.name:
            return replace(file, split=split)
    raise PhotoError(
        f'ingest.split is by_folder, so photos lie in the top folders train, val and test; "{file.name}" does'
        " not. Move it, or set ingest.split to {kind: by_content}"
    )
