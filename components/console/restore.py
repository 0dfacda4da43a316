"""What `refocus restore` does: photos in, restored photos out. One that cannot be used is told with
its reason, and the others are done; what was done before is not done again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from components.console.photo_places import PhotoPlace, places_of
from components.console.restored_before import By, RestoredBefore
from components.console.restored_names import names_of_restored, refuse_long
from components.core.decoding import decode, header
from components.core.delivery import Delivery, sealed
from components.core.encoding import ENDINGS, Format, encoded, fits
from components.core.errors import PhotoError, RefocusError
from components.core.files import sha256_of_bytes
from components.core.progress import Progress
from components.core.video import VIDEOS
from components.nets.choices import Precision
from components.registry import lineage
from components.serving.model import ServedModel, of_file, of_folder, of_version
from components.serving.settings import How, is_of_registry

NAMED = 5


class Restored(NamedTuple):
    """The restored files, and how many photos have none."""

    files: tuple[Path, ...]
    left_out: int


class _Plan(NamedTuple):
    """What a command line asks for, before any of it is done."""

    places: list[PhotoPlace]
    others: list[PhotoPlace]  # no photos
    targets: dict[PhotoPlace, str]
    before: RestoredBefore
    delivery: Delivery


def planned(
    images: Sequence[str | Path], out: Path, *, overwrite: bool = False, form: Format = "png"
) -> _Plan:
    """Which photos become which files. Raises InputError where one would be written twice, or lies there and
    was not made by this command.
    """
    places, others = list[PhotoPlace](), list[PhotoPlace]()
    for place in places_of(images, out):
        if PurePosixPath(place.name).suffix.lower() not in VIDEOS:  # which are restore_video.py's
            (places if place.is_meant_as_a_photo() else others).append(place)
    targets = names_of_restored(places, out, ENDINGS[form])
    before = RestoredBefore(out)
    # A PNG has its seal in itself; of the others the folder's record says which are ours.
    known = {} if form == "png" else {name: before.known(name) for name in targets.values()}
    delivery = Delivery(out, overwrite=overwrite, known=known)
    delivery.refuse_others(targets.values())
    return _Plan(places, others, targets, before, delivery)


def restore(
    images: Sequence[str | Path],
    model: str,
    out: Path,
    *,
    overwrite: bool = False,
    form: Format = "png",
    device: str | None = None,
    precision: Precision = "fp32",
    tile_px: int = 1024,
) -> Restored:
    """Restore photos with NAME@ALIAS from the registry, a checkpoint's folder or an exported file;
    gives their restored files, those of an earlier call among them: fewer than photos where some could
    not be used, which stderr then tells, as it does what was no photo in a folder.

    images: as `places_of` reads them. A super-resolution model writes pictures as many times larger as
    its scale. A file that would be written twice, or that this command did not make, is refused before
    anything is written, the latter unless `overwrite`.
    Raises InputError, and PhotoError when none of the photos could be restored.
    """
    places, others, targets, before, delivery = planned(images, out, overwrite=overwrite, form=form)
    left_out: list[str] = []
    photos = _usable(targets, out, left_out)
    if not photos:
        raise PhotoError(_several(left_out) or _nothing(others))
    written, again = [], 0
    with (
        _beside(left_out),
        Progress("restore", len(photos), unit="photos") as bar,
    ):
        served = model_named(model, How(device=device, tile_px=tile_px, precision=precision))
        for place in photos:
            name = targets[place]
            try:
                data = place.read()
                facts = sha256_of_bytes(data), _by(served, data)
                if not overwrite and before.has(name, *facts):
                    again += 1
                else:
                    restored = _restored(place, data, served, form, bar)
                    before.note(name, *facts, restored)
                    _deliver(delivery, name, restored)
                written.append(out / name)
            except PhotoError as error:
                left_out.append(str(error))
            bar.advance(1)
    if not written:
        raise PhotoError(_several(left_out))
    _tell(len(places), left_out, others, again)
    return Restored(tuple(written), len(left_out))


def _usable(targets: Mapping[PhotoPlace, str], out: Path, left_out: list[str]) -> list[PhotoPlace]:
    """Those that may be photos, and delivered; what a person named itself is read for it before the
    model is fetched.
    """
    found = []
    for place, name in targets.items():
        try:
            refuse_long(place, name, out)
            if place.named:
                place.read()
            found.append(place)
        except PhotoError as error:
            left_out.append(str(error))
    return found


def _restored(place: PhotoPlace, data: bytes, served: ServedModel, form: Format, bar: Progress) -> bytes:
    """The restored photo's file. Raises PhotoError, with the photo's path, when it is not whole."""
    try:
        picture = decode(data)
        if picture.animated:
            bar.warn(
                f"{place.at}: an animation, of which the first picture alone is restored; saved as a GIF or"
                " video all are"
            )
        icc = picture.metadata.icc
        if icc is not None and not fits(icc):
            space = icc[16:20].decode("latin-1").strip()
            bar.warn(
                f"{place.at}: its colour profile is for {space}, the restored photo is RGB: it is not kept"
            )
        height, width = picture.pixels.shape[:2]
        restored = served.restorer.restore_pixels(picture.pixels)
        if served.restorer.alone(height, width):  # asked after it: memory may have asked for smaller tiles
            bar.warn(
                f"{place.at}: {width} × {height} px are more than a tile of {served.restorer.tile_px} px, and"
                f" {served.name} looks over the whole photo, which a file does by tile: the result is another"
                " than that of the registered model; restore with that, or give a larger --tile"
            )
        made = encoded(form, restored, original=data, metadata=picture.metadata, scale=served.restorer.scale)
        return sealed(made) if form == "png" else made
    except PhotoError as error:
        raise PhotoError(f"{place.at}: {error}") from error


def _deliver(delivery: Delivery, name: str, data: bytes) -> None:
    with delivery.incoming(name) as temporary:
        temporary.write_bytes(data)


def _by(served: ServedModel, photo: bytes) -> By:
    head = header(photo)
    return made_by(served, served.restorer.tiles_decide(head.height, head.width))


def made_by(served: ServedModel, tile_px: int | None) -> By:
    """All that decides what becomes of a photo's or a video's bytes."""
    return By(
        weights_sha256=served.weights_sha256,
        generator_sha256=served.generator_sha256,
        precision=served.precision,
        tile_px=tile_px,
    )


def _tell(count: int, left_out: Sequence[str], others: Sequence[PhotoPlace], again: int) -> None:
    """What a person should know at the end, on stderr."""
    if again:
        print(f"restore: {again} of {count} photos were restored before", file=sys.stderr)
    if others:
        print(f"restore: {_nothing(others)}", file=sys.stderr)
    if left_out:
        # All of them: nothing else says which they were.
        reasons = "; ".join(left_out) if len(left_out) <= NAMED else "\n  " + "\n  ".join(left_out)
        print(f"restore: {len(left_out)} of {count} photos could not be restored: {reasons}", file=sys.stderr)


def _nothing(others: Sequence[PhotoPlace]) -> str:
    one = len(others) == 1
    names = _several([place.name for place in others])
    return f"{len(others)} {'file is' if one else 'files are'} no photo{'' if one else 's'}: {names}"


def _several(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    return "; ".join(reasons[:NAMED]) + more


@contextmanager
def _beside(left_out: list[str]) -> Iterator[None]:
    """Say with whatever stops the command which photos were no good either."""
    try:
        yield
    except RefocusError as error:
        if not left_out:
            raise
        raise type(error)(f"{error}; and could not be restored: {_several(left_out)}") from error


def model_named(model: str, how: How) -> ServedModel:
    """What a person calls a model, ready. Raises InputError where that is none."""
    if not is_of_registry(model):
        place = Path(model)
        return of_folder(place, **how) if place.is_dir() else of_file(place, **how)
    return of_version(lineage.resolve(model), **how, proved=False)
