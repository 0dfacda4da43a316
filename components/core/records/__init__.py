"""What stages pass to each other: small frozen records, written as JSON beside the big files.

    Photo ─ingest▶ PhotoSet ─synthesize▶ PairSet ─train▶ Checkpoint ─evaluate▶ EvalReport
    ─register▶ ModelVersion ─promote▶ alias champion

A record names its parents by content digest, so a registered model walks back to its photos. A path
is never an identity: `folder` tells where this copy lies and is no part of the digest; nor is
`about`, which holds facts for people. Long tables (one row a photo or pair) lie beside the record
as JSON Lines, bound to it by their SHA-256.
"""

from __future__ import annotations

from components.core.records.models import Checkpoint, EvalReport, ModelVersion, PhotoScore, Provenance
from components.core.records.pairs import OnTheFly, Pair, PairSet, SourcePhoto, TargetPhoto, Unpaired
from components.core.records.photos import ClipFrame, PairedInput, Photo, PhotoMap, PhotoSet
from components.core.records.terms import (
    SPLITS,
    UNPAIRED,
    Baseline,
    Domain,
    MapKind,
    RecipeRecord,
    Split,
    Task,
)

__all__ = [
    "SPLITS",
    "UNPAIRED",
    "Baseline",
    "Checkpoint",
    "ClipFrame",
    "Domain",
    "EvalReport",
    "MapKind",
    "ModelVersion",
    "OnTheFly",
    "Pair",
    "PairSet",
    "PairedInput",
    "Photo",
    "PhotoMap",
    "PhotoScore",
    "PhotoSet",
    "Provenance",
    "RecipeRecord",
    "SourcePhoto",
    "Split",
    "TargetPhoto",
    "Task",
    "Unpaired",
]
