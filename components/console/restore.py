"""What `refocus restore` does: photos in, restored PNG files out. One that cannot be used is told
with its reason, and the others are done.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.core.decoding import decode, header, photo_bytes
from components.core.delivery import Delivery
from components.core.encoding import encoded, fits
from components.core.errors import InputError, PhotoError, RefocusError
from components.core.photo_names import composed
from components.core.progress import Progress
from components.nets.restore import Restorer, load_restorer
from components.register.export import WEIGHTS_PLACE
from components.registry import lineage
from components.services import tracking

NAMED = 5


def restore(images: Sequence[Path], model: str, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Restore photos with NAME@ALIAS from the registry or with a checkpoint's folder; gives the
    written PNG files: fewer than photos where some could not be used, which stderr then tells.

    A super-resolution model writes pictures as many times larger as its scale. Every input is
    looked at before the model is fetched; a file that would be written twice, or that this command
    did not make, is refused before anything is written, the latter unless `overwrite`.
    Raises InputError, and PhotoError when none of the photos could be restored.
    """
    images = list(dict.fromkeys(images))
    targets = _targets(images, out)
    delivery = Delivery(out, overwrite=overwrite)
    delivery.refuse_others(target.name for target in targets.values())
    left_out: list[str] = []
    photos = []
    for path in images:
        try:
            _bytes_of(path)
            photos.append(path)
        except PhotoError as error:
            left_out.append(str(error))
    if not photos:
        raise PhotoError(_several(left_out))
    written = []
    with _beside(left_out), _weights(model) as folder, Progress("restore", len(photos), unit="photos") as bar:
        restorer = load_restorer(folder)
        for path in photos:
            try:
                data = _restored(path, restorer, bar)
            except PhotoError as error:
                left_out.append(str(error))
            else:
                written.append(delivery.write(targets[path].name, data))
            bar.advance(1)
    if not written:
        raise PhotoError(_several(left_out))
    if left_out:
        print(
            f"restore: {len(left_out)} of {len(images)} photos could not be restored: {_several(left_out)}",
            file=sys.stderr,
        )
    return written


def _restored(path: Path, restorer: Restorer, bar: Progress) -> bytes:
    """The restored photo's file. Raises PhotoError, with the photo's path, when it is not whole."""
    data = _bytes_of(path)
    try:
        picture = decode(data)
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}") from error
    icc = picture.metadata.icc
    if icc is not None and not fits(icc):
        space = icc[16:20].decode("latin-1").strip()
        bar.warn(f"{path}: its colour profile is for {space}, the restored photo is RGB: it is not kept")
    restored = restorer.restore_pixels(picture.pixels)
    return encoded("png", restored, original=data, metadata=picture.metadata, scale=restorer.scale)


def _bytes_of(path: Path) -> bytes:
    """A photo's bytes. Raises PhotoError, with its path, when there is none or it is no photo."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError(f"no photo at {path}; give paths of image files") from None
    except OSError as error:
        raise PhotoError(f"{path}: unreadable: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise PhotoError(f"{path} is a folder; name the photos in it: {path}/*.jpg")
    if not stat.S_ISREG(mode):
        raise PhotoError(f"{path}: unreadable: it is a pipe or a device")
    try:
        data = photo_bytes(path)
        header(data)
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}") from error
    return data


def _targets(images: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each photo's restored version goes. Raises InputError when two would go to one place,
    or one onto a photo that was given.
    """
    targets = {path: out / f"{path.stem}.png" for path in images}
    # As a file system sees them that tells neither case nor the two ways to write an umlaut apart.
    places: dict[str, Path] = {}
    for path, target in targets.items():
        twin = places.setdefault(composed(target.name).casefold(), path)
        if twin != path:
            raise InputError(
                f"two of the photos would both become {target}: {twin} and {path}; restore them into"
                " different folders"
            )
    named = {path.resolve() for path in images}
    over = [target for target in targets.values() if target.resolve() in named]
    if over:
        raise InputError(
            f"{over[0]} would be overwritten by a restored version, and is one of the photos given; choose"
            " another --out"
        )
    return targets


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


@contextmanager
def _weights(model: str) -> Iterator[Path]:
    if Path(model).is_dir():
        yield Path(model)
        return
    if "@" not in model and ":" not in model:
        raise InputError(f'--model "{model}" is neither a folder nor NAME@ALIAS (such as demo@champion)')
    with tracking.fetch(lineage.resolve(model), WEIGHTS_PLACE) as folder:
        yield folder
