"""The photos that a model has learned from by itself and by all the models that it comes from: what a
training that starts from it may not be measured on.

Each version carries the photos of its own training and names the checkpoint that this one started
from, so the way back is walked in the registry, and its sum kept by the checkpoint's digest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from components.core.errors import LineageError, ServiceError
from components.core.files import write_text
from components.core.own_state import read_json
from components.core.parts import canonical_json
from components.core.records import Checkpoint, PhotoSet
from components.register.export import RECORDS
from components.services import tracking
from components.services.tracking import registry

LEARNED = "learned.json"


class Forebear(NamedTuple):
    """A model on the way back. photos: it learned from them by itself, None where that is not known;
    parent: digest of the checkpoint that it started from, None from scratch.
    """

    photos: frozenset[str] | None
    parent: str | None


def learned_by(checkpoint: Checkpoint, name: str, parents: Path) -> frozenset[str]:
    """Ids of all photos that a model and those that it comes from have learned from; a line where the way
    back ends in one that neither lies here nor in the registry.

    name: what people call it; parents: the folder in which this machine keeps what came from the registry.
    """
    photos, gone = set[str](), set[str]()
    seen, digest = list[str](), checkpoint.digest
    current = _in_folder(checkpoint.folder, checkpoint)
    while digest not in seen:
        seen.append(digest)
        if (kept := _kept(parents / digest / LEARNED)) is not None:
            photos |= kept
            break
        if current.photos is None:
            current = _registered(digest) or current
        if current.photos is None:
            gone.add(digest)
        photos |= current.photos or frozenset()
        if current.parent is None:
            break
        digest = current.parent
        current = Forebear(None, None)
    if not gone:
        write_text(parents / checkpoint.digest / LEARNED, canonical_json({"photos": sorted(photos)}) + "\n")
    else:
        print(
            f"train: {name} goes back to {len(gone)} {'model' if len(gone) == 1 else 'models'} of which no"
            f" version of the registry is left ({', '.join(sorted(one[:12] for one in gone))}…), so it is not"
            " known whether photos that are tested on here were learned from then",
            file=sys.stderr,
        )
    return frozenset(photos)


def photos_in(folder: Path) -> frozenset[str] | None:
    """The photos of a folder's PhotoSet that were learned from; None where it has no PhotoSet."""
    if not (folder / PhotoSet.FILE).is_file():
        return None
    return frozenset(photo.id for photo in PhotoSet.load(folder).photos() if photo.split == "train")


def _in_folder(folder: Path, checkpoint: Checkpoint) -> Forebear:
    return Forebear(photos_in(folder), checkpoint.parent)


def _registered(digest: str) -> Forebear | None:
    """The checkpoint as a version of any name that has its records; None where there is none. Raises
    ServiceError where those that may have them cannot be reached.
    """
    tracking.prepare()
    refused: ServiceError | None = None
    for version in registry.searched(f"tags.`{registry.CHECKPOINT}` = '{digest}'"):
        try:
            with tracking.fetch(version, RECORDS) as folder:
                return _in_folder(folder, Checkpoint.load(folder))
        except LineageError:  # its files are gone
            continue
        except ServiceError as error:
            refused = error
    if refused is not None:
        raise refused
    return None


def _kept(path: Path) -> frozenset[str] | None:
    found = read_json(path)
    return None if found is None else frozenset(map(str, found["photos"]))
