"""Masks and depth maps, which lie beside photos: for a/b.jpg the files a/b.mask.png and
a/b.depth.png, of its size.

A mask is grey, 8 or 16 bits: 0 what stays behind, white what moves before it, soft edges between. A
depth map is grey, 16 bits: distance in millimetres, 0 where it is unknown or infinitely far.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from components.core.errors import PhotoError
from components.core.images import decode, header
from components.core.records import MapKind, PhotoMap
from components.ingest.config import IngestConfig
from components.ingest.examine import bytes_of, refuse_unfit
from components.ingest.originals import Originals
from components.ingest.source import Found, map_kind

Reasons = list[tuple[str, str]]


@dataclass(frozen=True)
class Owner:
    """A photo of the set, for the maps that lie beside it."""

    id: str
    names: tuple[str, ...]
    width: int  # px, upright
    height: int


def take_maps(
    files: Sequence[Found],
    owners: Sequence[Owner],
    found: Collection[str],
    config: IngestConfig,
    originals: Originals,
) -> tuple[dict[str, tuple[PhotoMap, ...]], Reasons]:
    """Keep the bytes of every map that fits its photo. Gives the maps of every photo by its id, and
    (name, reason) for what fits none.

    found: names of all photos at the source, also of those that are left out.
    A photo under two names has the first map of each kind that lies beside either.
    """
    beside: dict[str, list[Owner]] = {}
    for owner in owners:
        for name in owner.names:
            beside.setdefault(_stem(name), []).append(owner)
    photos = {_stem(name): name for name in found}
    taken: dict[str, dict[MapKind, PhotoMap]] = {owner.id: {} for owner in owners}
    reasons: Reasons = []
    for file in files:
        kind, stem = map_kind(file.name), _stem(_stem(file.name))
        assert kind is not None, f"{file.name} is no map"
        try:
            if stem not in photos:
                raise PhotoError(
                    f"no photo: a {kind} of {stem}.jpg, .png, .webp or .tif, and none lies beside it; rename"
                    " it if it is a photo itself"
                )
            if stem not in beside:
                raise PhotoError(f"photo left out: {photos[stem]}, whose {kind} this is, is not used")
            for owner in beside[stem]:
                made = _taken(file, kind, owner, config, originals)
                first = taken[owner.id].setdefault(kind, made)
                if first.id != made.id:
                    raise PhotoError(
                        f"second {kind}: {first.name} is that of the same photo, {owner.names[0]}"
                    )
        except PhotoError as error:
            reasons.append((file.name, str(error)))
    return {photo: tuple(maps[kind] for kind in sorted(maps)) for photo, maps in taken.items()}, reasons


def _taken(file: Found, kind: MapKind, owner: Owner, config: IngestConfig, originals: Originals) -> PhotoMap:
    """Look at a map to its last pixel and keep its bytes. Raises PhotoError, "kind: reason", when
    it does not fit.
    """
    data, digest = bytes_of(file, config)
    head = header(data)
    refuse_unfit(head, file.name, config)
    if (head.width, head.height) != (owner.width, owner.height):
        raise PhotoError(
            f"other size: {head.width} × {head.height} px, its photo {owner.names[0]} is {owner.width} ×"
            f" {owner.height} px as it lies upright"
        )
    picture = decode(data, max_megapixels=config.max_megapixels)
    if picture.channels != 1:
        raise PhotoError(f"not grey: a {kind} has one channel, this one has colours; save it as grey")
    if kind == "depth" and picture.bits != 16:
        raise PhotoError("not 16 bits: a depth map holds millimetres in 16 bits, this one has 8")
    if not picture.pixels.any():
        raise PhotoError(
            "empty: it is 0 everywhere,"
            f" {'so nothing would move' if kind == 'mask' else 'so no distance is known'}"
        )
    return PhotoMap(
        id=digest, kind=kind, file=originals.keep(digest, "png", data), name=file.name, size_bytes=len(data)
    )


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
