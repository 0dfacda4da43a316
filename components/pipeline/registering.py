"""The end of a run: its checkpoint into the registry, and the gate's decision about it."""

from __future__ import annotations

from components.core.records import EvalReport, ModelVersion, PairSet, PhotoSet, Provenance
from components.pipeline import sending, stages
from components.pipeline.project import Run
from components.registry import promotion
from components.registry.decision import Decision
from components.registry.drift import Drift, drift_since
from components.services import tracking, versioning
from components.services.cluster import is_outside


def register(run: Run, commit: str) -> ModelVersion:
    """Put a run's checkpoint into the registry, and dvc.lock, which names its data, into the
    training's run.

    commit: the one that holds the code and settings as used.
    """
    provenance = Provenance(git_commit=commit, dvc=versioning.hashes(run.name, root=run.root))
    version = stages.register(run, provenance)
    run_id = tracking.get_version(version.name, version.version).run_id
    if run_id is not None:
        tracking.log_results(run_id, metrics={}, step=0, files=(run.root / "dvc.lock",))
    return version


def drift(run: Run, decision: Decision) -> tuple[Drift, ...]:
    """How far the run's photos, and the champion on its pairs, are from what the champion was promoted on."""
    return drift_since(run.recipe.register_.drift, run.load(PhotoSet), run.load(EvalReport), decision)


def decide(run: Run, version: ModelVersion) -> Decision:
    """Let the gate decide on a version, with the pairs and report that the run has at hand."""
    return promotion.promote(
        run.recipe.register_,
        run.load(PairSet),
        run.load(EvalReport),
        version,
        **run.recipe.evaluate.conditions,
        measure=sending.ByCluster(run.record, run.recipe.evaluate.conditions) if is_outside() else None,
    )
