"""The words that records share: splits, tasks, baselines, maps, and a recipe as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from components.core.parts import digest_of
from components.core.record import Record

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Task = Literal["deblurring", "super_resolution", "translation"]
Baseline = Literal["input", "bicubic", "mean_colour"]
MapKind = Literal["mask", "depth"]
Domain = Literal["input", "target"]  # of photos without partners: to be restored, or as they should look
UNPAIRED = "unpaired"  # the blur_kind of an input that has no target and is held against itself


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
