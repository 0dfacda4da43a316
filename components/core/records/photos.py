"""Photos as ingest found them, with what came beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from components.core.parts import Part
from components.core.record import TableRecord
from components.core.records.terms import Domain, MapKind, Split


class PairedInput(Part):
    """A blurred picture that came with a sharp photo: a camera took it, or frames of a video were
    averaged. `id` is the SHA-256 of its bytes.
    """

    id: str
    file: str = Field(description="place of the untouched bytes below the PhotoSet's folder")
    name: str = Field(description="name it was found under, relative to the source")
    size_bytes: int
    layout: str = Field(description="`kind` of the import, such as gopro")
    scene: str = Field(description="what it shows: pictures of one scene stand in one split")
    variant: str | None = Field(
        default=None, description="which of the blurred pictures a set has, such as blur or blur_gamma"
    )
    # Not written where there are none, so that sets made before there were clips keep their digest.
    clip: str | None = Field(
        default=None,
        exclude_if=lambda clip: clip is None,
        description="the video whose frame it is; None: it stands alone",
    )
    frame: int | None = Field(
        default=None,
        exclude_if=lambda frame: frame is None,
        ge=0,
        description="its number in the clip; neighbours in time have successive ones",
    )
    shift_px: tuple[float, float] = Field(
        description="(x, y): how far it lies to the right of and below the sharp photo, as it came"
    )
    likeness: float = Field(
        description="correlation of the two, smoothed, once laid on each other; 1 for the same picture"
    )
    severity: float = Field(ge=0, description="extent of the blur: RMS radius in px, measured on the pair")
    moved_px: tuple[int, int] = Field(
        default=(0, 0), description="(x, y): whole px of the shift that are taken back by cutting both"
    )
    made: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="frames, response and what else it was made with, when it was made at ingest",
    )


class PhotoMap(Part):
    """What is known of each pixel of a photo, from a file beside it. `id` is the SHA-256 of its
    bytes.
    """

    id: str
    kind: MapKind
    file: str = Field(description="place of the untouched bytes below the PhotoSet's folder")
    name: str = Field(description="name it was found under, relative to the source")
    size_bytes: int


class ClipFrame(Part):
    """A frame of a sharp video that follows a photo, which is the first of its clip. `id` is the SHA-256 of
    its bytes.
    """

    id: str
    file: str = Field(description="place of the untouched bytes below the PhotoSet's folder")
    name: str = Field(description="the video, and its number there")
    size_bytes: int


class Photo(Part):
    """One sharp photo as found. `id` is the SHA-256 of its bytes."""

    id: str
    file: str = Field(description="place of the untouched bytes below the PhotoSet's folder")
    name: str = Field(description="name it was found under, relative to the source")
    also_named: tuple[str, ...] = Field(default=(), description="other names of the same bytes")
    size_bytes: int
    width: int = Field(description="px, after EXIF orientation")
    height: int = Field(description="px, after EXIF orientation")
    channels: Literal[1, 3] = Field(description="1 grey, 3 colour; alpha was dropped")
    bits: Literal[8, 16]
    split: Split
    group: str = Field(
        description=(
            "id of the first photo of its group, itself when alone: near duplicates; with pairs, a scene's or"
            " clip's pictures too. A group counts as one observation"
        )
    )
    origin: str | None = Field(default=None, description="where the photo comes from, when known")
    licence: str | None = Field(default=None, description="its terms, when known")
    # Not written where there is none, so that sets without imports keep their digest.
    inputs: tuple[PairedInput, ...] = Field(
        default=(), exclude_if=lambda inputs: not inputs, description="blurred pictures that came with it"
    )
    domain: Domain | None = Field(
        default=None,
        exclude_if=lambda domain: domain is None,
        description="of a set of two domains without pairs (ingest.domains); None in any other",
    )
    # Likewise for sets without clips.
    frames: tuple[ClipFrame, ...] = Field(
        default=(),
        exclude_if=lambda frames: not frames,
        description="what follows it in its video, in the order of time; it is the first of a clip",
    )
    # Likewise for sets without maps.
    maps: tuple[PhotoMap, ...] = Field(
        default=(),
        exclude_if=lambda maps: not maps,
        description="its mask and its depth map, where it has them",
    )

    @property
    def files(self) -> tuple[str, ...]:
        """Its own file and those of all that came with it."""
        inputs, frames = (each.file for each in self.inputs), (each.file for each in self.frames)
        return (self.file, *inputs, *frames, *(each.file for each in self.maps))


class PhotoSet(TableRecord):
    """Sharp photos, each with its split; no photo and no near duplicate of it stands in two splits."""

    FILE = "photoset.json"
    TABLE = "photos.jsonl"
    SETTINGS: ClassVar[str] = "settings"  # in `about`: of ingest, but for where the photos lie
    counts: dict[Split, int]

    @property
    def settings(self) -> str:
        """The settings of ingest that made the set, in words: `min_px 64, split.kind by_content, …`."""
        told = self.about.get(self.SETTINGS)
        return ", ".join(_named(told)) if isinstance(told, dict) else "not recorded"

    def photos(self) -> tuple[Photo, ...]:
        """The rows, ordered by id."""
        return self._rows(Photo)


def _named(settings: Mapping[str, JsonValue], above: str = "") -> Iterator[str]:
    """Dotted names with their values; what is not set is left out."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _named(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name} {value}"
