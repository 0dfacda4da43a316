"""The run that a registered version came of, with its pairs and report at hand, wherever and whenever it
was made: in the checkout when they still lie there, else as git and DVC have them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from components.core.errors import LineageError
from components.core.records import EvalReport, ModelVersion, PairSet
from components.pipeline.project import Project, Run
from components.recipes import Recipe
from components.services import tracking, versioning
from components.services.tracking import registry


def record_of(version: tracking.Version) -> ModelVersion:
    """What a version says of itself, as a record."""
    return ModelVersion(
        name=version.name,
        version=version.number,
        checkpoint=version.tags.get(registry.CHECKPOINT, ""),
        report=version.tags.get(registry.REPORT, ""),
        recipe=version.tags.get(registry.RECIPE, ""),
    )


@contextmanager
def run_of_version(project: Project, recipe: Recipe, version: tracking.Version) -> Iterator[Run]:
    """The run whose folder holds the version's own report and pairs, for the length of the block.

    A scheduled run works in a folder of its own, which is gone by now; its commit names all it made.
    Raises LineageError when this clone has not that commit, or DVC neither here nor in its remote the
    files.
    """
    here = Run(project, recipe)
    if _holds(here, version):
        yield here
        return
    commit = version.tags.get(registry.GIT_COMMIT, "")
    if not versioning.commit_exists(commit, root=project.root):
        raise LineageError(
            f"the report of {version.words} is not in this checkout, and its commit"
            f" {commit[:12] or 'unknown'} not in this clone: git fetch origin"
            " 'refs/refocus/runs/*:refs/refocus/runs/*', then run the same command again"
        )
    folder = project.state / "worktrees" / f"version-{version.name}-{version.number}-{os.getpid()}"
    versioning.add_worktree(folder, root=project.root, commit=commit)
    try:
        versioning.share_with(project.root, folder)
        versioning.bring(recipe.name, ("synthesize", "evaluate"), root=folder)
        run = Run(Project(folder, project.state), recipe)
        if not _holds(run, version):
            raise LineageError(
                f"commit {commit[:12]} of {version.words} names another report than the version does; see"
                f" refocus lineage {version.name}@{version.number}"
            )
        yield run
    finally:
        versioning.remove_worktree(folder, root=project.root)


def _holds(run: Run, version: tracking.Version) -> bool:
    """Whether the version's report lies there, and the pairs that it was measured on."""
    try:
        report, pairset = run.load(EvalReport), run.load(PairSet)
    except LineageError:
        return False
    return report.digest == version.tags.get(registry.REPORT) and report.pairset == pairset.digest
