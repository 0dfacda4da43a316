"""The pipeline as a table: what each stage is called, what it takes and what it gives.

    Photo ─ingest▶ PhotoSet ─synthesize▶ PairSet ─train▶ Checkpoint ─evaluate▶ EvalReport
    ─register▶ ModelVersion

A stage is one name everywhere: a folder under components/, a command, a DVC stage, a Prefect task.
Its records lie in data/RECIPE/FOLDER.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import recipes
from components.core.errors import InputError, nearest
from components.core.files import state_folder
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
from components.services import versioning

OLDEST_TORCH = (2, 11)
FOLDERS: dict[type[Record], str] = {
    PhotoSet: "photos",
    PairSet: "pairs",
    Checkpoint: "checkpoint",
    EvalReport: "report",
}


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


def folder_of(root: Path, recipe: str, kind: type[Record]) -> Path:
    """Where a recipe's record of that kind lies."""
    return root / "data" / recipe / FOLDERS[kind]


def project_root(start: Path | None = None) -> Path:
    """The checkout that a folder lies in: the nearest folder upwards with dvc.yaml and components/."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "components").is_dir():
            return folder
    raise InputError(
        f"{here} is not inside a refocus checkout (no dvc.yaml with components/ beside it, here or above);"
        " change into one"
    )


def need_torch(version: str | None = None) -> None:
    """Refuse a torch that is too old before anything is started; `refocus doctor` looks at every
    package.

    >>> need_torch("2.14.1+cpu")
    """
    found = version or importlib.metadata.version("torch")
    if tuple(int(number) for number in found.split(".")[:2]) < OLDEST_TORCH:
        wanted = ".".join(str(number) for number in OLDEST_TORCH)
        raise InputError(
            f"torch {wanted} or newer is needed, {found} is installed; install the tested set: pip install -c"
            " constraints.txt -e ."
        )


def run_stage(name: str, recipe_name: str, root: Path) -> Record:
    """Run one stage of one recipe on the records that lie in ROOT/data/RECIPE; gives the record it
    wrote.
    """
    need_torch()
    stage, recipe = stage_named(name), recipes.load(recipe_name, root=root)
    given = _given(stage, recipe, root)
    sweep(root, folder_of(root, recipe.name, stage.gives))
    for photoset in (record for record in given if isinstance(record, PhotoSet)):
        small = recipe.refuse_small(photoset.photos())
        if small.left_out:
            print(f"{name}: training will leave out {small.words()}", file=sys.stderr)
    return stage.run(*given, out=folder_of(root, recipe.name, stage.gives))


def register(recipe_name: str, provenance: Provenance, root: Path) -> ModelVersion:
    """Put a recipe's checkpoint into the registry; one that is there already is given back."""
    recipe = recipes.load(recipe_name, root=root)
    version = REGISTER.run(
        *_given(REGISTER, recipe, root), provenance, out=state_folder(root) / "registered" / recipe.name
    )
    assert isinstance(version, ModelVersion)
    return version


def _given(stage: Stage, recipe: recipes.Recipe, root: Path) -> list[Any]:
    whole = [_whole(recipe, root)] if stage.whole_recipe else []
    return [
        recipe.section(stage.name),
        *whole,
        *(kind.load(folder_of(root, recipe.name, kind)) for kind in stage.takes),
    ]


def _whole(recipe: recipes.Recipe, root: Path) -> RecipeRecord:
    """The recipe as data, with DVC's hashes of its outputs where DVC runs the stage: by hand, the
    folders may hold something else.
    """
    record = recipe.record()
    if "DVC_STAGE" not in os.environ:
        return record
    return record.model_copy(
        update={"about": {**record.about, "dvc": dict(versioning.hashes(recipe.name, root=root))}}
    )
