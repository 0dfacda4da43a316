"""What making pairs of a photo gives: pictures to be written, one at a time, and at the end the
rows that describe them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from components.core.files import sha256_of_bytes
from components.core.images import Pixels, png_bytes
from components.core.parts import Part, digest_of
from components.core.records import MapKind, Pair, Photo, SourcePhoto, Split, TargetPhoto
from components.synthesize.config import SynthesizeConfig

Kind = Literal["input", "target", "light"]
KINDS: tuple[Kind, ...] = (
    "input",
    "target",
    "light",
)  # folders of pictures; light: photos for training to blur, where the targets hold less
# Of a photo's row, what its pairs do not depend on: what it is called, where it lies and comes from.
UNHEEDED = frozenset({"name", "also_named", "file", "size_bytes", "origin", "licence"})


@dataclass(frozen=True)
class Work:
    """One photo to make pairs of; `data` is the photo's file as it was ingested, `inputs` those of
    the blurred pictures that came with it.

    maps: files of the photo's maps that a blur takes. frames: those that follow it in its clip.
    """

    config: SynthesizeConfig
    photo: Photo
    data: bytes
    inputs: tuple[bytes, ...] = ()
    maps: Mapping[MapKind, bytes] = field(default_factory=dict)
    frames: tuple[bytes, ...] = ()

    def made(
        self,
        rows: Sequence[Pair | SourcePhoto | TargetPhoto],
        colour_sum: tuple[int, int, int] | None = None,
    ) -> Made:
        """What became of the photo."""
        key = photo_key(self.config, self.photo)
        return Made(key=key, split=self.photo.split, rows=tuple(rows), colour_sum=colour_sum)


@dataclass(frozen=True)
class File:
    """A picture to be written: its name below the PairSet's folder, and its bytes."""

    name: str
    data: bytes


class Made(Part):
    """What became of one photo."""

    key: str = Field(description="of the photo as it was then: `photo_key`")
    split: Split
    rows: tuple[Pair | SourcePhoto | TargetPhoto, ...] = Field(min_length=1)
    colour_sum: tuple[int, int, int] | None = Field(
        None,
        description=(
            "sum of the target's values per channel, in 8 bits, exact; where the baseline is their mean"
        ),
    )

    @property
    def photo(self) -> str:
        """The photo's id."""
        return self.rows[0].photo

    @property
    def files(self) -> dict[str, str]:
        """Every picture and its SHA-256."""
        return {name: sha256 for row in self.rows for name, sha256 in row.files.items()}


def photo_key(config: SynthesizeConfig, photo: Photo) -> str:
    """Digest of all in a photo's row that its pairs depend on: they are made anew when any of it is
    another, such as the near duplicates it counts as one with, or a blurred picture that came with it.
    Settings and code are not in it.
    """
    taken = photo.model_copy(update={"maps": config.maps_of(photo)})
    return digest_of(taken.model_dump(mode="json", exclude=set(UNHEEDED)))


def encoded(split: Split, kind: Kind, name: str, pixels: Pixels) -> tuple[File, str]:
    """One picture as PNG, and its SHA-256."""
    data = png_bytes(pixels)
    return File(f"{split}/{kind}/{name}.png", data), sha256_of_bytes(data)
