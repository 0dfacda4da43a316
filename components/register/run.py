"""Stage register, a step of `refocus run RECIPE`. Check that the records belong together, build the
model folder, make the version.

A side effect on the registry, so never a DVC stage: it is idempotent, keyed on the checkpoint's
digest. A checkpoint that is registered already is given back, not registered twice.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from components.core.errors import LineageError, PhotoError
from components.core.files import state_folder
from components.core.images import rgb_of, to_float
from components.core.locks import locked
from components.core.parts import digest_of
from components.core.record import Record
from components.core.records import (
    Checkpoint,
    EvalReport,
    ModelVersion,
    PairSet,
    PhotoSet,
    Provenance,
    RecipeRecord,
)
from components.register import export
from components.register.card import write_card
from components.register.config import RegisterConfig
from components.register.export import Beside
from components.register.own_words import with_tags
from components.register.whole import missing_files, set_aside
from components.services import tracking
from components.services.content import MANIFEST, reader_of
from components.services.tracking import registry

EXAMPLE_PX = (45, 61)  # no multiple of any stride, so that the example proves that any size goes through


def run(
    config: RegisterConfig,
    recipe: RecipeRecord,
    photoset: PhotoSet,
    pairset: PairSet,
    checkpoint: Checkpoint,
    report: EvalReport,
    provenance: Provenance,
    *,
    out: Path,
    beside: Beside | None = None,
) -> ModelVersion:
    """Put the checkpoint into the registry as challenger; gives the version, written below `out`.

    beside: writes files that lie in the model's folder too, below formats/.
    Raises LineageError when the chain of records does not close, ServiceError when the registry
    does not answer, StageError when the model does not load in a clean process.
    """
    tracking.prepare()
    check_chain(recipe, photoset, pairset, checkpoint, report)
    lock = state_folder() / "locks" / f"register-{config.name}.lock"
    with locked(lock, patience_s=600):
        found = tracking.find_version(config.name, registry.CHECKPOINT, checkpoint.digest)
        missing = () if found is None else missing_files(found)
        if found is None or missing:
            checkpoint.verify()
            made = _register(config, recipe, photoset, pairset, checkpoint, report, provenance, beside)
            if found is not None:
                told = f"{len(missing)} of its files are gone ({missing[0]})"
                print(f"register: {made.words} takes the place of {found.words}: {told}", file=sys.stderr)
                set_aside(found, missing, made)
            found = made
        found = with_tags(found)
        if found.tags.get(tracking.STATUS) == "pending":
            tracking.set_alias(config.name, tracking.CHALLENGER, found.number)
    return ModelVersion(
        name=config.name,
        version=found.number,
        checkpoint=checkpoint.digest,
        report=found.tags[registry.REPORT],
        recipe=found.tags[registry.RECIPE],
    ).save(out)


def check_chain(
    recipe: RecipeRecord, photoset: PhotoSet, pairset: PairSet, checkpoint: Checkpoint, report: EvalReport
) -> None:
    """Recompute every digest along the chain. Raises LineageError, naming both ends, where it does
    not close.
    """
    synthesize = recipe.sections.get("synthesize")
    settings = (
        {key: value for key, value in synthesize.items() if key not in PairSet.UNHEEDED}
        if isinstance(synthesize, dict)
        else synthesize
    )
    links = (
        ("pairs", "photos", pairset.photoset, "the photos", photoset.digest, "synthesize"),
        (
            "pairs",
            "settings",
            pairset.config_digest,
            "the recipe's synthesize section",
            digest_of(settings),
            "synthesize",
        ),
        ("checkpoint", "pairs", checkpoint.pairset, "the pairs", pairset.digest, "train"),
        (
            "checkpoint",
            "settings",
            checkpoint.config_digest,
            "the recipe's train section",
            recipe.section_digest("train"),
            "train",
        ),
        ("report", "checkpoint", report.checkpoint, "the checkpoint", checkpoint.digest, "evaluate"),
        ("report", "pairs", report.pairset, "the pairs", pairset.digest, "evaluate"),
    )
    for child, what, named, parent, found, stage in links:
        if named != found:
            raise LineageError(
                f"the {what} named by the {child} have the digest {named[:12]}…, but {parent} here have"
                f" {found[:12]}…; run {stage} again"
            )


def _register(
    config: RegisterConfig,
    recipe: RecipeRecord,
    photoset: PhotoSet,
    pairset: PairSet,
    checkpoint: Checkpoint,
    report: EvalReport,
    provenance: Provenance,
    beside: Beside | None,
) -> tracking.Version:
    """Build the model folder, try it out, upload it."""
    card = write_card(config.name, recipe, photoset, pairset, checkpoint, report, provenance)
    run_id = _training_run(checkpoint)
    with tempfile.TemporaryDirectory(prefix="refocus-model-") as temporary:
        folder, loose = Path(temporary) / "model", Path(temporary) / "loose"
        for record in (recipe, provenance):
            record.model_copy().save(loose)
        records = _records(photoset, pairset, checkpoint, report) | {
            path.name: path for path in loose.iterdir()
        }
        files_sha256 = export.build(
            folder,
            checkpoint=checkpoint,
            example=_example(pairset),
            records=records,
            card=card,
            beside=beside,
        )
        if config.load_test:
            export.try_out(folder)
        if run_id is not None:
            files = tuple(
                path
                for path in (folder / export.CARD, records.get("report.html"), records.get("dvc.lock"))
                if path is not None
            )
            tracking.log_results(run_id, metrics=_figures(report), step=checkpoint.images_seen, files=files)
        tags = _tags(recipe, photoset, pairset, checkpoint, report, provenance) | {
            registry.FILES_SHA256: files_sha256
        }
        return tracking.add_version(
            config.name,
            folder,
            run_id=run_id,
            tags=tags,
            description=(
                f"{card.split('## Data')[0][:4500]}The whole card is MODEL_CARD.md among the version's files."
            ),
        )


def _records(
    photoset: PhotoSet, pairset: PairSet, checkpoint: Checkpoint, report: EvalReport
) -> dict[str, Path]:
    """Every record and table of the chain, by file name: lineage must be readable from the registry
    alone.
    """
    tables: tuple[Record, ...] = (photoset, pairset, report)
    found = {record.FILE: record.folder / record.FILE for record in (*tables, checkpoint)}
    found |= {
        table: record.folder / table for record in (photoset, pairset, report) for table in record.tables
    }
    found |= {path.name: path for path in (pairset.folder / MANIFEST,) if path.is_file()}
    found |= {path.name: path for path in photoset.folder.glob("quarantine*") if path.is_file()}
    page = report.folder / "report.html"
    lock = next(
        (place / "dvc.lock" for place in checkpoint.folder.parents if (place / "dvc.lock").is_file()), None
    )
    return found | ({page.name: page} if page.is_file() else {}) | ({lock.name: lock} if lock else {})


def _tags(
    recipe: RecipeRecord,
    photoset: PhotoSet,
    pairset: PairSet,
    checkpoint: Checkpoint,
    report: EvalReport,
    provenance: Provenance,
) -> dict[str, str]:
    return {
        tracking.STATUS: "pending",
        registry.CHECKPOINT: checkpoint.digest,
        registry.REPORT: report.digest,
        registry.RECIPE: recipe.digest,
        registry.RECIPE_NAME: recipe.name,
        registry.PAIRSET: pairset.digest,
        registry.PHOTOSET: photoset.digest,
        registry.WEIGHTS_SHA256: checkpoint.weights_sha256,
        registry.GENERATOR_SHA256: checkpoint.generator_sha256,
        **_parent_tags(checkpoint),
        registry.GIT_COMMIT: provenance.git_commit,
        **{f"{registry.DVC_PREFIX}{output}": md5 for output, md5 in provenance.dvc.items()},
    }


def _parent_tags(checkpoint: Checkpoint) -> dict[str, str]:
    """What the training started from; nothing for one from scratch."""
    if checkpoint.parent is None:
        return {}
    return {
        registry.PARENT: checkpoint.parent,
        registry.PARENT_NAME: str(checkpoint.about.get("parent", "")),
    }


def _figures(report: EvalReport) -> Mapping[str, float]:
    return {
        **{f"test/{name}": value for name, value in report.restored.items()},
        **{f"test/do_nothing/{name}": value for name, value in report.do_nothing.items()},
        **{f"test/{name}": value for name, value in report.set_restored.items()},
        **{f"test/do_nothing/{name}": value for name, value in report.set_do_nothing.items()},
        "test/seconds_per_megapixel": report.seconds_per_megapixel,
    }


def _training_run(checkpoint: Checkpoint) -> str | None:
    """The training's run, if this store has it: a checkpoint may come from another machine's store."""
    named = checkpoint.about.get("mlflow_run")
    if isinstance(named, str) and tracking.has_run(named):
        return named
    key = checkpoint.about.get("train_key")
    return tracking.find_training(key) if isinstance(key, str) else None


def _example(pairset: PairSet) -> export.Photo:
    """The middle of the first test pair's blurred photo."""
    pairs = pairset.pairs("test") or pairset.pairs()
    if not pairs:
        raise LineageError(
            f"the pairs at {pairset.folder} are none, so the model has no example; run synthesize again"
        )
    name, reader = pairs[0].input, reader_of(pairset)
    try:
        photo = to_float(rgb_of(reader.read(name), reader.place(name)))
    except PhotoError as error:
        raise LineageError(
            f"{reader.place(name)} is missing, though {pairset.FILE} names it; run synthesize again, or dvc"
            " checkout"
        ) from error
    height, width = (min(wanted, have) for wanted, have in zip(EXAMPLE_PX, photo.shape[:2], strict=True))
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return np.ascontiguousarray(photo[top : top + height, left : left + width], np.float32)
