"""What the restored versions of photos and clips are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from components.console.photo_places import PhotoPlace
from components.core.errors import InputError, PhotoError
from components.core.photo_names import composed


def names_of_restored(
    places: Sequence[PhotoPlace], out: Path, ending: str, what: str = "photos"
) -> dict[PhotoPlace, str]:
    """The name of each one's restored version, below `out`. Two of a folder that differ in their ending
    alone keep it before the new one. what: they are, in messages.

    Raises InputError when two would go to one place, or one onto a file that was named.
    """
    stems: dict[str, int] = {}
    for place in places:
        stem = _alike(str(PurePosixPath(place.name).with_suffix("")))
        stems[stem] = stems.get(stem, 0) + 1
    targets = {}
    # As a file system sees them that tells neither case nor the two ways to write an umlaut apart.
    taken: dict[str, PhotoPlace] = {}
    for place in places:
        bare = str(PurePosixPath(place.name).with_suffix(""))
        whole = not place.named and stems[_alike(bare)] > 1
        targets[place] = name = (place.name if whole else bare) + ending
        twin = taken.setdefault(_alike(name), place)
        if twin != place:
            raise InputError(
                f"two of the {what} would both become {out / name}: {twin.at} and {place.at}; restore them"
                " into different folders"
            )
    # realpath: resolve() raises where one of many is a link to itself.
    named = {os.path.realpath(place.at) for place in places}
    over = [out / name for name in targets.values() if os.path.realpath(out / name) in named]
    if over:
        raise InputError(
            f"{over[0]} would be overwritten by a restored version, and is one of the {what} given; choose"
            " another --out"
        )
    return targets


def refuse_long(place: PhotoPlace, name: str, out: Path) -> None:
    """Raises PhotoError where what is restored of a place has a name that the folder cannot hold: keys of
    buckets are longer than files' names may be, and a new ending may be longer than the old.
    """
    try:
        most = os.pathconf(out if out.is_dir() else out.absolute().anchor, "PC_NAME_MAX")
    except (OSError, ValueError):
        return  # nobody can say
    longest = max(len(os.fsencode(part)) for part in PurePosixPath(name).parts)
    if longest > most:
        raise PhotoError(
            f"{place.at}: its restored version would have a name of {longest} bytes, at most {most} are"
            f" possible at {out}; give it a shorter name"
        )


def _alike(name: str) -> str:
    return composed(name).casefold()
