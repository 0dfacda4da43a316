"""A photo with the bytes of all that came with it, from the PhotoSet's folder or from the store."""

from __future__ import annotations

from components.core.errors import LineageError, PhotoError
from components.core.files import sha256_of_bytes
from components.core.records import ClipFrame, PairedInput, Photo, PhotoMap
from components.services.content import Reader
from components.synthesize.config import SynthesizeConfig
from components.synthesize.made_pairs import Work


def work_of(config: SynthesizeConfig, photo: Photo, files: Reader) -> Work:
    """A photo with its bytes, those of the blurred pictures that came with it, of the maps that are used,
    and of the frames that follow it.

    files: of the PhotoSet. Raises LineageError when one is missing or is another.
    """
    maps = {each.kind: _read(files, each) for each in config.maps_of(photo)}
    inputs = tuple(_read(files, input) for input in photo.inputs)
    frames = tuple(_read(files, frame) for frame in photo.frames)
    return Work(config, photo, _read(files, photo), inputs, maps, frames)


def names_of(config: SynthesizeConfig, photo: Photo) -> list[str]:
    """The files that are read for a photo."""
    inputs, maps, frames = photo.inputs, config.maps_of(photo), photo.frames
    return [
        photo.file,
        *(each.file for each in inputs),
        *(each.file for each in maps),
        *(each.file for each in frames),
    ]


def _read(files: Reader, picture: Photo | PairedInput | PhotoMap | ClipFrame) -> bytes:
    """A picture's bytes, which are its identity."""
    try:
        data = files.read(picture.file)
    except PhotoError:
        data = b""
    if sha256_of_bytes(data) != picture.id:
        raise LineageError(
            f"{files.place(picture.file)} is missing or was altered: it is not the picture {picture.name}"
            " that was ingested; run ingest again"
        )
    return data
