"""What is put side by side: a version out of the registry, or what a recipe last made in this checkout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from components import recipes
from components.core.errors import InputError
from components.core.records import (
    Checkpoint,
    EvalReport,
    PairSet,
    PhotoScore,
    PhotoSet,
    Provenance,
    RecipeRecord,
)
from components.pipeline.out_of_step import out_of_step
from components.pipeline.project import Project, Run
from components.register.export import RECORDS, WEIGHTS_PLACE
from components.registry.lineage import resolve
from components.services import tracking


@dataclass(frozen=True)
class Contender:
    """One model as it was measured.

    seen: ids of the photos that it was trained or chosen on; commit: of its code, "" where none is
    recorded; version: None for a recipe's own result; weights: its folder, for a recipe.
    """

    name: str
    recipe: RecipeRecord
    checkpoint: Checkpoint
    report: EvalReport
    scores: tuple[PhotoScore, ...]
    seen: frozenset[str]
    commit: str
    version: tracking.Version | None
    weights: Path | None

    @contextmanager
    def generator(self) -> Iterator[Path]:
        """The folder that its weights lie in, for as long as the block lasts."""
        with ExitStack() as held:
            if self.weights is not None:
                yield self.weights
            else:
                assert self.version is not None
                yield held.enter_context(tracking.fetch(self.version, WEIGHTS_PLACE))


def contenders(references: Sequence[str], project: Project) -> tuple[Contender, ...]:
    """Those that are asked for, in that order: NAME:3 and NAME@alias are versions, a bare NAME is the
    recipe's result in this checkout, or the champion of that name where no recipe has it.

    Raises InputError for fewer than two, or the same one twice; LineageError when one is not there.
    """
    if len(references) < 2:
        raise InputError("two or more are compared: refocus compare demo@previous demo@champion")
    found = tuple(_found(reference, project) for reference in references)
    names = [each.name for each in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{twice[0]} is named twice ({', '.join(references)}); name each one once")
    return found


def _found(reference: str, project: Project) -> Contender:
    bare = not {"@", ":", "/"} & {*reference}
    known = recipes.names(project.root) if bare else ()
    if reference in known:
        return _of_recipe(reference, project)
    version = resolve(reference, perhaps=known)
    with tracking.fetch(version, RECORDS) as folder:
        report = EvalReport.load(folder)
        return Contender(
            name=f"{version.name}:{version.number}",
            recipe=RecipeRecord.load(folder),
            checkpoint=Checkpoint.load(folder),
            report=report,
            scores=report.scores(),
            seen=_seen(PhotoSet.load(folder)),
            commit=Provenance.load(folder).git_commit,
            version=version,
            weights=None,
        )


def _of_recipe(name: str, project: Project) -> Contender:
    run = Run.of(project, name)
    report, checkpoint = run.load(EvalReport), run.load(Checkpoint)
    for words in out_of_step(run, PairSet, Checkpoint, EvalReport):
        raise InputError(
            f"of the recipe {name}: {words}. Until then its settings are not those of what was measured;"
            f" `refocus run {name}` makes all that is missing, and NAME:3 names a version"
        )
    return Contender(
        name=name,
        recipe=run.record,
        checkpoint=checkpoint,
        report=report,
        scores=report.scores(),
        seen=_seen(run.load(PhotoSet)),
        commit="",
        version=None,
        weights=checkpoint.folder,
    )


def _seen(photoset: PhotoSet) -> frozenset[str]:
    return frozenset(photo.id for photo in photoset.photos() if photo.split in ("train", "val"))
