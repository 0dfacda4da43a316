"""Pairs of an input and its target, or the photos that training makes pairs of by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.core.errors import LineageError
from components.core.files import sha256_of_file
from components.core.parts import Part
from components.core.record import TableRecord
from components.core.records.terms import UNPAIRED, Baseline, Split, Task


class Pair(Part):
    """One pair with everything that was drawn to make it: what a net is given (`input`) and what it
    should make of it (`target`).

    For super-resolution `input` is the small photo, for translation the picture to translate and
    `target` the target.
    """

    id: str
    split: Split
    photo: str = Field(description="id of the sharp photo it comes from")
    input: str = Field(description="file below the PairSet's folder")
    target: str = Field(description="file below the PairSet's folder")
    input_sha256: str
    target_sha256: str
    width: int = Field(description="px of the sharp picture; the blurred one is 1/scale of it")
    height: int = Field(description="px of the sharp picture")
    blur_kind: str = Field(
        description=(
            "`kind` of the blur, such as random_trajectory, or of the translation; `downscale` where only"
            " that was done, `imported` for given pairs, `unpaired` for an input without a target"
        )
    )
    drawn: dict[str, JsonValue] = Field(
        description=(
            "every parameter drawn for this pair: blur, noise, JPEG; and what was done without drawing"
        )
    )
    severity: float = Field(
        ge=0,
        description="extent of the blur: RMS radius of the PSF in px of the sharp picture; 0 without a blur",
    )
    severity_class: Literal["mild", "medium", "strong"]
    seed: int
    # Not written where it is none, so that sets made before there were groups keep their digest.
    group: str | None = Field(
        default=None,
        exclude_if=lambda group: group is None,
        description=(
            "what counts as one when models are compared: the scene, clip or near duplicates it belongs"
            " to; None: its photo"
        ),
    )

    # Likewise for sets without clips.
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

    @property
    def counts_as(self) -> str:
        """What counts as one when models are compared."""
        return self.group or self.photo

    @property
    def paired(self) -> bool:
        """Whether it has a target of its own."""
        return self.blur_kind != UNPAIRED

    @property
    def files(self) -> dict[str, str]:
        """Its pictures and their SHA-256."""
        return {self.target: self.target_sha256, self.input: self.input_sha256}


class SourcePhoto(Part):
    """What training makes pairs of by itself: one photo, ready to be blurred, and what a net should
    make of the result.
    """

    id: str
    photo: str = Field(description="id of the sharp photo it comes from")
    target: str = Field(description="file below the PairSet's folder: the target")
    target_sha256: str
    light: str = Field(
        description=(
            "file below the PairSet's folder: the photo whose light is blurred; the target itself where that"
            " holds all of it"
        )
    )
    light_sha256: str
    width: int = Field(description="px of both")
    height: int = Field(description="px of both")
    channels: Literal[1, 3] = Field(description="1 grey, 3 colour")
    done: dict[str, JsonValue] = Field(description="what was done to the photo without drawing")

    @property
    def files(self) -> dict[str, str]:
        """Its pictures and their SHA-256."""
        return {self.target: self.target_sha256, self.light: self.light_sha256}


class TargetPhoto(Part):
    """A picture as restored ones should look, of a set without pairs: no input belongs to it."""

    id: str
    split: Split
    photo: str = Field(description="id of the photo it is")
    target: str = Field(description="file below the PairSet's folder")
    target_sha256: str
    width: int = Field(description="px")
    height: int = Field(description="px")
    group: str = Field(
        description="what counts as one: id of the first of its near duplicates, in both domains"
    )

    @property
    def files(self) -> dict[str, str]:
        """Its picture and the SHA-256."""
        return {self.target: self.target_sha256}


class Unpaired(Part):
    """The other domain of a set without pairs: pictures as restored ones should look."""

    targets: dict[Split, int] = Field(description="how many there are")
    targets_sha256: str = Field(description="SHA-256 of their table")
    scenes_in_both: int = Field(ge=0, description="groups with pictures in both domains, each in one split")


class OnTheFly(Part):
    """How training makes its pairs: every time it comes to a photo, a new one."""

    degradation: dict[str, JsonValue] = Field(
        description=(
            "what is done to a photo, with the ranges to draw from: a `Degradation` of components/optics"
        )
    )
    seed: int = Field(description="that of the recipe's synthesize section")
    sources: int = Field(ge=0, description="photos to make pairs of")
    sources_sha256: str = Field(description="SHA-256 of their table")


class PairSet(TableRecord):
    """Pairs for one task: SPLIT/input/*.png (what is given) and SPLIT/target/*.png (what is wanted)
    below the folder, one row each.

    With `on_the_fly` there are no training pairs but targets, of which training makes its pairs by
    itself. With `unpaired` each row is an input that is held against itself, for there is no target of
    it, but for test pairs beside the two domains; the domain of targets has a table of its own.
    """

    FILE = "pairset.json"
    TABLE = "pairs.jsonl"
    SOURCES: ClassVar[str] = "sources.jsonl"
    TARGETS: ClassVar[str] = "targets.jsonl"
    # Settings of synthesize that change no pair: where the work is done, what may be missing, where they
    # lie.
    UNHEEDED: ClassVar[frozenset[str]] = frozenset({"workers", "max_left_out", "pictures"})
    photoset: str = Field(description="digest of the PhotoSet")
    config_digest: str = Field(description="digest of the settings that made it")
    task: Task = "deblurring"
    scale: int = Field(
        default=1, ge=1, description="sharp size over blurred size; 1 but for super-resolution"
    )
    baseline: Baseline = Field(
        "input", description="what a result is measured against: what a person has without any net"
    )
    mean_colour: tuple[int, int, int] | None = Field(
        default=None, description="mean over the training targets, RGB of 0 to 255; for that baseline"
    )
    counts: dict[Split, int]
    # Not written where it is none, so that sets without it keep their digest.
    on_the_fly: OnTheFly | None = Field(
        default=None,
        exclude_if=lambda way: way is None,
        description="how training makes its pairs, if they are not here",
    )
    unpaired: Unpaired | None = Field(
        default=None,
        exclude_if=lambda other: other is None,
        description="the domain of targets, where no input has one of its own",
    )

    @model_validator(mode="after")
    def _baseline_fits(self) -> Self:
        if (self.scale > 1) != (self.baseline == "bicubic"):
            raise ValueError(
                "baseline bicubic is that of pairs with a scale above 1, and theirs alone; got baseline"
                f" {self.baseline} with scale {self.scale}"
            )
        if (self.baseline == "mean_colour") != (self.mean_colour is not None):
            raise ValueError(
                f"baseline mean_colour and the colour go together; got baseline {self.baseline} with the"
                f" colour {self.mean_colour}"
            )
        return self

    def pairs(self, split: Split | None = None) -> tuple[Pair, ...]:
        """The rows, ordered by id; of one split when asked."""
        rows = self._rows(Pair)
        return rows if split is None else tuple(row for row in rows if row.split == split)

    def verify(self, *splits: Split) -> Self:
        """Hash every picture of the splits again, those that training makes its pairs of with `train`.

        Raises LineageError, naming the first by name, when one is missing or altered.
        """
        rows = [row for split in splits for row in self.pairs(split)]
        files = {name: wanted for row in rows for name, wanted in row.files.items()}
        if "train" in splits:
            files |= {name: wanted for row in self.source_photos() for name, wanted in row.files.items()}
        targets = (row for row in self.targets() if row.split in splits)
        files |= {name: wanted for row in targets for name, wanted in row.files.items()}
        names = sorted(files)
        with ThreadPoolExecutor(max_workers=4) as pool:  # hashing lets other threads run
            found = list(pool.map(lambda name: _sha256(self.folder / name), names))
        altered = [name for name, digest in zip(names, found, strict=True) if digest != files[name]]
        if altered:
            more = f", and {len(altered) - 1} more" if len(altered) > 1 else ""
            raise LineageError(
                f"{self.folder / altered[0]} is missing or was altered: its SHA-256 is not the"
                f" {files[altered[0]][:12]}… that the PairSet names{more}; run synthesize again, or dvc"
                " checkout"
            )
        return self

    @property
    def tables(self) -> dict[str, str]:
        """Name and SHA-256 of every table beside the record."""
        further = {} if self.on_the_fly is None else {self.SOURCES: self.on_the_fly.sources_sha256}
        if self.unpaired is not None:
            further[self.TARGETS] = self.unpaired.targets_sha256
        return super().tables | further

    def source_photos(self) -> tuple[SourcePhoto, ...]:
        """The photos that training makes its pairs of, ordered by id; none where the training pairs
        are here.
        """
        return () if self.on_the_fly is None else self._rows(SourcePhoto, self.SOURCES)

    def targets(self, split: Split | None = None) -> tuple[TargetPhoto, ...]:
        """The pictures of the other domain, ordered by id; none where inputs have targets of their own."""
        rows = () if self.unpaired is None else self._rows(TargetPhoto, self.TARGETS)
        return rows if split is None else tuple(row for row in rows if row.split == split)

    def pictures(self) -> tuple[Pair | SourcePhoto | TargetPhoto, ...]:
        """Every row that names pictures."""
        return (*self.pairs(), *self.source_photos(), *self.targets())


def _sha256(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""
