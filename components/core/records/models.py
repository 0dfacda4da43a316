"""A trained generator, how it was measured, and the version it became."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from components.core.errors import LineageError
from components.core.files import sha256_of_file
from components.core.parts import Part
from components.core.record import Record, TableRecord
from components.core.records.terms import UNPAIRED, Baseline, Task


class Checkpoint(Record):
    """A trained generator (EMA weights as safetensors, its config beside it)."""

    FILE = "checkpoint.json"
    WEIGHTS: ClassVar[str] = "generator.safetensors"
    CONFIG: ClassVar[str] = "generator.json"
    BACK: ClassVar[str] = "back"  # folder of the second generator of a cycle
    pairset: str = Field(description="digest of the PairSet it was trained on")
    config_digest: str = Field(description="digest of the recipe's train section")
    code_digest: str = Field(description="digest of code and libraries that trained it")
    weights_sha256: str
    generator_sha256: str = Field(description="SHA-256 of generator.json: architecture and value range")
    images_seen: int
    parent: str | None = Field(
        default=None,
        exclude_if=lambda parent: parent is None,
        description="digest of the Checkpoint that the training started from; None: from scratch",
    )

    back_sha256: str | None = Field(
        default=None,
        exclude_if=lambda back: back is None,
        description="SHA-256 of the weights in back/, the generator from target to input; None: none",
    )

    def verify(self) -> Self:
        """Hash the files again. Raises LineageError, naming the file, when one is missing or
        altered.
        """
        files = {self.WEIGHTS: self.weights_sha256, self.CONFIG: self.generator_sha256}
        if self.back_sha256 is not None:
            files[f"{self.BACK}/{self.WEIGHTS}"] = self.back_sha256
        for name, wanted in files.items():
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
    # Neither is written where it is none.
    group: str | None = Field(
        default=None,
        exclude_if=lambda group: group is None,
        description="that of the pair; None: its photo",
    )
    left_out: str | None = Field(
        default=None,
        exclude_if=lambda reason: reason is None,
        description="why nothing may be judged by this pair, kind: reason; None where it may",
    )

    @property
    def counts_as(self) -> str:
        """What counts as one when models are compared; pairs of one photo share the part of their
        id before the dash.
        """
        return self.group or self.pair.split("-")[0]

    @property
    def paired(self) -> bool:
        """Whether it was held against a target of its own."""
        return self.blur_kind != UNPAIRED


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
    seconds_per_megapixel: float = Field(description="median over photos")
    measured_on: str | None = Field(
        default=None,
        exclude_if=lambda place: place is None,
        description="device and precision: figures from two are not compared; None in reports of old",
    )

    paired: bool = Field(
        default=True,
        exclude_if=lambda paired: paired,
        description="false: photos had no targets but for test pairs, each was held against its own input",
    )

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
