"""The pipeline as a table: what each stage is called, what it takes and what it gives.

    Photo ─ingest▶ PhotoSet ─synthesize▶ PairSet ─train▶ Checkpoint ─evaluate▶ EvalReport
    ─register▶ ModelVersion

A stage is one name everywhere: a folder under components/, a command, a DVC stage, a Prefect task.
Its records lie in data/RECIPE/FOLDER.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.errors import InputError, StageError, nearest
from components.core.files import need_writable_place, sha256_of_file
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
from components.core.temporaries import sweep
from components.pipeline import sending
from components.pipeline.out_of_step import out_of_step
from components.pipeline.project import Run, folder_of
from components.recipes import Recipe
from components.services import cluster, versioning

OLDEST_TORCH = (2, 11)


@dataclass(frozen=True)
class Stage:
    """One step from records to a record. `whole_recipe`: it also takes the whole recipe, to pass it
    on with what it makes.
    """

    name: str
    takes: tuple[type[Record], ...]
    gives: type[Record]
    about: str
    whole_recipe: bool = False

    @property
    def run(self) -> Callable[..., Record]:
        """The stage's work; imported when asked for, since it brings its heavy libraries."""
        function: Callable[..., Record] = importlib.import_module(f"components.{self.name}.run").run
        return function


STAGES: tuple[Stage, ...] = (
    Stage(
        "ingest",
        (),
        PhotoSet,
        "read sharp photos, or real pairs, from a folder or bucket, sort out the unusable, split by content",
    ),
    Stage(
        "synthesize",
        (PhotoSet,),
        PairSet,
        "make pairs: photos blurred as cameras do, made small, parted, or as they came, beside their sharp"
        " ones",
    ),
    Stage(
        "train",
        (PairSet,),
        Checkpoint,
        "train the restoration GAN on the pairs; run again to resume",
        whole_recipe=True,
    ),
    Stage(
        "evaluate",
        (PairSet, Checkpoint),
        EvalReport,
        "measure the checkpoint and doing nothing on the test pairs",
    ),
)
REGISTER = Stage(
    "register",
    (PhotoSet, PairSet, Checkpoint, EvalReport),
    ModelVersion,
    "put the checkpoint into the registry",
    whole_recipe=True,
)


def stage_named(name: str) -> Stage:
    """The stage of that name. Raises InputError with the nearest right one."""
    found = {stage.name: stage for stage in STAGES}
    if name not in found:
        raise InputError(f'no stage "{name}"; there are {", ".join(found)}.{nearest(name, found)}')
    return found[name]


def need_torch(version: str | None = None) -> None:
    """Refuse a torch that is too old before anything is started; `refocus doctor` looks at every
    package. A machine that sends its stages to a cluster needs none.

    >>> need_torch("2.14.1+cpu")
    """
    if version is None and cluster.is_outside():
        return
    found = version or importlib.metadata.version("torch")
    if tuple(int(number) for number in found.split(".")[:2]) < OLDEST_TORCH:
        wanted = ".".join(str(number) for number in OLDEST_TORCH)
        raise InputError(
            f"torch {wanted} or newer is needed, {found} is installed; install the tested set: pip install -c"
            " constraints.txt -e ."
        )


@contextmanager
def prepared(name: str, run: Run) -> Iterator[Callable[[], Record]]:
    """One stage of a run, with the records that lie in ROOT/data/RECIPE at hand; called within the
    block, it does its work and gives the record it wrote.

    Raises StageError at the block's end when code or recipe were edited meanwhile.
    """
    need_torch()
    stage = stage_named(name)
    _need_own(run)
    out, code = folder_of(run.root, run.name, stage.gives), _code(run)
    sweep(run.root, out)
    parents = _parents(stage, run)
    need_writable_place(out)
    if "DVC_STAGE" not in os.environ:  # which leaves none out
        for words in out_of_step(run, *stage.takes):
            print(f"warning: {words}", file=sys.stderr)
    for photoset in (record for record in parents if isinstance(record, PhotoSet)):
        small = run.recipe.refuse_small(photoset.photos())
        if small.left_out:
            print(f"{name}: training will leave out {small.words()}", file=sys.stderr)
    if sending.is_sent(name):
        takes = [record for record in parents if isinstance(record, stage.takes)]
        yield functools.partial(sending.make, name, _whole(run), takes, stage.gives, out)
    else:
        yield functools.partial(
            stage.run, *parents, out=out, **start_of(stage, run.recipe, run.project.state)
        )
    _refuse_edited(name, code, _code(run))


def _need_own(run: Run) -> None:
    """Raises InputError for a recipe that was named by its file, where the checkout has another under its
    name: results lie by name, and DVC and the run's commit know no other file.
    """
    if run.recipe != Run.of(run.project, run.name, photos=run.photos).recipe:
        raise InputError(
            f"the file that was named is not the recipe {run.name} of this checkout, whose results lie in"
            f" data/{run.name}; put it there as components/recipes/NAME.yaml, under a name of its own"
        )


def _code(run: Run) -> dict[str, str]:
    """Everything in the checkout that a stage's result may rest on, by file: code, and the recipe."""
    folder = run.root / "components"
    files = [*folder.rglob("*.py"), folder / "recipes" / f"{run.name}.yaml"]
    return {str(path.relative_to(run.root)): sha256_of_file(path) for path in files if path.is_file()}


def _refuse_edited(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises StageError when code or recipe changed meanwhile: DVC notes them as it finds them when a stage
    has ended, and would take the result for that of the new ones.
    """
    edited = sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file))
    if edited:
        raise StageError(
            f"{', '.join(edited[:3])}{' and others' if len(edited) > 3 else ''} changed while {name} was at"
            " work, so its result would be taken for that of the new code; it is not kept. Run the same"
            " command again"
        )


def register(run: Run, provenance: Provenance) -> ModelVersion:
    """Put a run's checkpoint into the registry, with the files of its recipe's formats; one that is
    there already is given back.
    """
    out = run.project.state / "registered" / run.name
    sweep(run.root, out)
    parents = _parents(REGISTER, run)
    if cluster.is_outside():
        takes = [record for record in parents if isinstance(record, REGISTER.takes)]
        return sending.register(_whole(run), takes, provenance, run.root / "dvc.lock", out)
    checkpoint, pairset = run.load(Checkpoint), run.load(PairSet)
    version = REGISTER.run(*parents, provenance, out=out, beside=formats_of(run.recipe, checkpoint, pairset))
    assert isinstance(version, ModelVersion)
    return version


def formats_of(recipe: Recipe, checkpoint: Checkpoint, pairset: PairSet) -> Callable[[Path], object] | None:
    """Writes the exported files that a recipe names into a model's folder; None where it names none."""
    if not recipe.register_.formats:
        return None

    def write(folder: Path) -> None:
        from components.exports.made import Weights, make  # torch

        make(
            recipe.register_.formats,
            Weights(checkpoint.folder, checkpoint.digest),
            pairset,
            folder,
            gate=recipe.register_.gate,
            metrics=recipe.evaluate.metrics,
            tile_px=recipe.evaluate.tile_px,
        )

    return write


def start_of(stage: Stage, recipe: Recipe, state: Path, folder: Path | None = None) -> dict[str, Any]:
    """What a training starts from, if not from scratch. folder: where the folder of train.start lies, if
    not there.
    """
    if stage.name != "train" or recipe.train.start == "scratch":
        return {}
    from components.pipeline.starting import parent_of  # MLflow, which no other stage waits for

    return {"parent": parent_of(recipe, state, folder)}


def _parents(stage: Stage, run: Run) -> list[Any]:
    whole = [_whole(run)] if stage.whole_recipe else []
    return [run.recipe.section(stage.name), *whole, *(run.load(kind) for kind in stage.takes)]


def _whole(run: Run) -> RecipeRecord:
    """The recipe as data, with DVC's hashes of its outputs where DVC runs the stage: by hand, the
    folders may hold something else.
    """
    record = run.record
    if "DVC_STAGE" not in os.environ:
        return record
    return record.model_copy(
        update={"about": {**record.about, "dvc": dict(versioning.hashes(run.name, root=run.root))}}
    )
