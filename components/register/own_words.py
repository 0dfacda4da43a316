"""What a version says of itself, where somebody took its tags away: from the records among its files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from components.core.errors import LineageError, RefocusError
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet, Provenance, RecipeRecord
from components.register.export import RECORDS
from components.services import tracking
from components.services.tracking import registry

# Not FILES_SHA256: it proves the files, so they cannot vouch for it; `lineage --verify` misses it.
_TOLD: Mapping[str, Callable[[Path], str]] = {
    registry.CHECKPOINT: lambda folder: Checkpoint.load(folder).digest,
    registry.REPORT: lambda folder: EvalReport.load(folder).digest,
    registry.RECIPE: lambda folder: RecipeRecord.load(folder).digest,
    registry.RECIPE_NAME: lambda folder: RecipeRecord.load(folder).name,
    registry.PAIRSET: lambda folder: PairSet.load(folder).digest,
    registry.PHOTOSET: lambda folder: PhotoSet.load(folder).digest,
    registry.WEIGHTS_SHA256: lambda folder: Checkpoint.load(folder).weights_sha256,
    registry.GENERATOR_SHA256: lambda folder: Checkpoint.load(folder).generator_sha256,
    registry.GIT_COMMIT: lambda folder: Provenance.load(folder).git_commit,
}


def with_tags(version: tracking.Version) -> tracking.Version:
    """The version with every tag that the pipeline reads; those that were deleted are read in its
    records, and written again with a line.

    Raises LineageError for a version without records of ours: another program registered it.
    """
    missing = [tag for tag in _TOLD if tag not in version.tags]
    has_status = tracking.STATUS in version.tags
    if not missing and has_status:
        return version
    try:
        with tracking.fetch(version, RECORDS) as folder:
            found = {tag: _TOLD[tag](folder) for tag in missing}
    except RefocusError as error:
        raise LineageError(
            f"{version.words} lacks {', '.join(missing) or tracking.STATUS} and has no records to read them"
            f" in ({error}): another program registered it, or its files were deleted. Give its alias to a"
            f" version of ours (refocus rollback {version.name} --to N --reason …), or delete it"
        ) from error
    found |= {} if has_status else {tracking.STATUS: "pending"}
    tracking.add_tags(version.name, version.number, found)
    print(f"registry: {version.words} had lost {', '.join(found)}; written again", file=sys.stderr)
    return tracking.get_version(version.name, version.number)
