"""What stages pass to each other: small frozen records, written as JSON beside the big files.

    Photo ─ingest▶ PhotoSet ─synthesize▶ PairSet ─train▶ Checkpoint ─evaluate▶ EvalReport
    ─register▶ ModelVersion ─promote▶ alias champion

A record names its parents by content digest, so a registered model walks back to its photos. A path
is never an identity: `folder` tells where this copy lies and is no part of the digest; nor is
`about`, which holds facts for people. Long tables (one row a photo or pair) lie beside the record
as JSON Lines, bound to it by their SHA-256.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from components.core.errors import LineageError
from components.core.files import sha256_of_file
from components.core.parts import Part, digest_of
from components.core.record import Record, TableRecord

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Task = Literal["deblurring", "super_resolution", "translation"]
Baseline = Literal["input", "bicubic", "mean_colour"]
MapKind = Literal["mask", "depth"]


class RecipeRecord(Record):
    """A resolved recipe as data: what `--dry-run` prints and what a checkpoint, an MLflow run and a
    model card carry.
    """

    FILE = "recipe.json"
    name: str
    sections: dict[str, JsonValue] = Field(description="one entry a stage, every default filled in")

    def section_digest(self, stage: str) -> str:
        """Digest of one stage's settings: what that stage's result depends on."""
        return digest_of(self.sections[stage])


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
    group: str = Field(description="id of the first photo of its near-duplicate group, itself when alone")
    origin: str | None = Field(default=None, description="where the photo comes from, when known")
    licence: str | None = Field(default=None, description="its terms, when known")
    # Not written where there is none, so that sets without imports keep their digest.
    inputs: tuple[PairedInput, ...] = Field(
        default=(), exclude_if=lambda inputs: not inputs, description="blurred pictures that came with it"
    )
    # Likewise for sets without maps.
    maps: tuple[PhotoMap, ...] = Field(
        default=(),
        exclude_if=lambda maps: not maps,
        description="its mask and its depth map, where it has them",
    )


class PhotoSet(TableRecord):
    """Sharp photos, each with its split; no photo and no near duplicate of it stands in two splits."""

    FILE = "photoset.json"
    TABLE = "photos.jsonl"
    counts: dict[Split, int]

    def photos(self) -> tuple[Photo, ...]:
        """The rows, ordered by id."""
        return self._rows(Photo)


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
            " that was done, `imported` for given pairs"
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
    itself.
    """

    FILE = "pairset.json"
    TABLE = "pairs.jsonl"
    SOURCES: ClassVar[str] = "sources.jsonl"
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

    @property
    def tables(self) -> dict[str, str]:
        """Name and SHA-256 of every table beside the record."""
        return super().tables | (
            {} if self.on_the_fly is None else {self.SOURCES: self.on_the_fly.sources_sha256}
        )

    def source_photos(self) -> tuple[SourcePhoto, ...]:
        """The photos that training makes its pairs of, ordered by id; none where the training pairs
        are here.
        """
        return () if self.on_the_fly is None else self._rows(SourcePhoto, self.SOURCES)


class Checkpoint(Record):
    """A trained generator (EMA weights as safetensors, its config beside it)."""

    FILE = "checkpoint.json"
    WEIGHTS: ClassVar[str] = "generator.safetensors"
    CONFIG: ClassVar[str] = "generator.json"
    pairset: str = Field(description="digest of the PairSet it was trained on")
    config_digest: str = Field(description="digest of the recipe's train section")
    code_digest: str = Field(description="digest of the code that trained it")
    weights_sha256: str
    generator_sha256: str = Field(description="SHA-256 of generator.json: architecture and value range")
    images_seen: int

    def verify(self) -> Self:
        """Hash the files again. Raises LineageError, naming the file, when one is missing or
        altered.
        """
        for name, wanted in ((self.WEIGHTS, self.weights_sha256), (self.CONFIG, self.generator_sha256)):
            path = self.folder / name
            if not path.is_file() or sha256_of_file(path) != wanted:
                raise LineageError(
                    f"{path} is missing or was altered: its SHA-256 is not {wanted[:12]}…; run train again,"
                    " or dvc checkout"
                )
        return self


class PhotoScore(Part):
    """The metrics of one test pair, restored and left as it was. None where a metric was skipped."""

    pair: str
    blur_kind: str
    severity: float
    severity_class: str
    restored: dict[str, float]
    do_nothing: dict[str, float]
    output_min: float = Field(description="smallest value the generator gave before clipping to [0, 1]")
    output_max: float
    finite: bool = Field(description="no NaN or infinity in the output")
    seconds: float
    megapixels: float


class EvalReport(TableRecord):
    """A checkpoint and doing nothing, measured on the same test pairs.

    `set_restored` and `set_do_nothing` hold what is measured on all photos of the split at once
    (FID, KID); there is no row a photo of them.
    """

    FILE = "report.json"
    TABLE = "scores.jsonl"
    checkpoint: str = Field(description="digest of the Checkpoint")
    pairset: str = Field(description="digest of the PairSet")
    config_digest: str = Field(description="digest of the recipe's evaluate section")
    task: Task = "deblurring"
    baseline: Baseline = Field("input", description="what doing nothing is: that of the PairSet")
    metrics: tuple[str, ...] = Field(description="names with their variant, such as psnr_rgb")
    skipped: dict[str, str] = Field(
        default_factory=dict, description="metric name and why it was not measured"
    )
    restored: dict[str, float] = Field(description="mean over photos")
    do_nothing: dict[str, float] = Field(description="mean over photos, of the baseline")
    set_restored: dict[str, float] = Field(
        default_factory=dict, description="metrics of the whole set, such as fid_inception"
    )
    set_do_nothing: dict[str, float] = Field(default_factory=dict, description="the same of the baseline")
    seconds_per_megapixel: float = Field(description="median over photos; device in `about`")

    def scores(self) -> tuple[PhotoScore, ...]:
        """One row a test pair, ordered by pair id."""
        return self._rows(PhotoScore)


class Provenance(Record):
    """The code and data versions a registered model rests on."""

    FILE = "provenance.json"
    git_commit: str = Field(description="commit that holds exactly the code and dvc.lock of this run")
    dvc: dict[str, str] = Field(description="output name (photos, pairs, checkpoint, report) to its DVC md5")


class ModelVersion(Record):
    """One version in the MLflow registry."""

    FILE = "model_version.json"
    name: str
    version: int
    checkpoint: str = Field(description="digest of the Checkpoint")
    report: str = Field(description="digest of the EvalReport it was registered with")
    recipe: str = Field(description="digest of the resolved recipe")
