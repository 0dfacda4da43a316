"""What making pairs of a photo gives: pictures to be written, one at a time, and at the end the
rows that describe them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from components.core.files import sha256_of_bytes
from components.core.images import Pixels, png_bytes
from components.core.parts import Part
from components.core.records import MapKind, Pair, Photo, SourcePhoto, Split, TargetPhoto
from components.synthesize.config import SynthesizeConfig

Kind = Literal["input", "target", "light"]
KINDS: tuple[Kind, ...] = (
    "input",
    "target",
    "light",
)  # folders of pictures; light: photos for training to blur, where the targets hold less


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


@dataclass(frozen=True)
class File:
    """A picture to be written: its name below the PairSet's folder, and its bytes."""

    name: str
    data: bytes


class Made(Part):
    """What became of one photo."""

    split: Split
    rows: tuple[Pair | SourcePhoto | TargetPhoto, ...] = Field(min_length=1)
    colour_sum: tuple[int, int, int] | None = Field(
        None,
        description=(
            "sum of the target's values per channel, in 8 bits, exact; where the baseline is their mean"
        ),
    )
    maps: tuple[str, ...] = Field((), description="ids of the photo's maps that its blurs took")
    frames: tuple[str, ...] = Field((), description="ids of the frames that follow it in its clip")

    @property
    def photo(self) -> str:
        """The photo's id."""
        return self.rows[0].photo

    @property
    def files(self) -> dict[str, str]:
        """Every picture and its SHA-256."""
        return {name: sha256 for row in self.rows for name, sha256 in row.files.items()}


def encoded(split: Split, kind: Kind, name: str, pixels: Pixels) -> tuple[File, str]:
    """One picture as PNG, and its SHA-256."""
    data = png_bytes(pixels)
    return File(f"{split}/{kind}/{name}.png", data), sha256_of_bytes(data)
