"""Where things happen and what runs there: found once by whoever starts, then handed down.

A stage that DVC runs is a process of its own. What it must know of the run that it belongs to, and
cannot read in the checkout, crosses in environment variables: written and read in this file
(REFOCUS_PHOTOS, REFOCUS_RUN) and in core/files.py (REFOCUS_HOME).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from components import recipes
from components.core.errors import InputError
from components.core.files import need_writable, settle_state_folder, state_folder, state_variable
from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, PhotoSet, RecipeRecord

PHOTOS_VARIABLE = "REFOCUS_PHOTOS"
RUN_VARIABLE = "REFOCUS_RUN"  # the recipe whose lock the run holds
FOLDERS: dict[type[Record], str] = {
    PhotoSet: "photos",
    PairSet: "pairs",
    Checkpoint: "checkpoint",
    EvalReport: "report",
}
Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True)
class Project:
    """A checkout, and the folder for all that is neither code nor artifact."""

    root: Path
    state: Path

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project whose checkout that is."""
        return cls(root, state_folder(root))

    @classmethod
    def here(cls, *, writes: bool = True) -> Project:
        """The project that the working directory lies in. Its state folder is from now on that of
        this whole process, and writable where somebody `writes` in it.
        """
        root = project_root()
        folder = settle_state_folder(root)
        if writes:
            need_writable(folder)
        return cls(root, folder)


@dataclass(frozen=True)
class Run:
    """One recipe at work in one project.

    photos: what takes the place of the recipe's ingest.photos, already in `recipe`; order: the
    stages' names; debug: let every word of the stages through; variables: what stages' processes
    are given beside the project's own; holder: the file that says who is at work.
    """

    project: Project
    recipe: recipes.Recipe
    photos: str | None = None
    order: tuple[str, ...] = ()
    debug: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    holder: Path | None = None

    @classmethod
    def of(cls, project: Project, recipe: str, *, photos: str | None = None) -> Run:
        """A run of the recipe with that name, read here and nowhere else.

        photos: folder or s3:// address instead of the recipe's own; of the run that this process
        belongs to, when left out. Raises RecipeError.
        """
        photos = photos or os.environ.get(PHOTOS_VARIABLE)
        return cls(project, recipes.load(recipe, root=project.root, photos=photos), photos)

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.project.root

    @property
    def in_worktree(self) -> bool:
        """Whether it works in a folder of its own, which is gone after it."""
        return bool(self.variables)

    @cached_property
    def record(self) -> RecipeRecord:
        """The recipe as data, to travel with what the run makes."""
        return self.recipe.record()

    @property
    def for_stages(self) -> dict[str, str]:
        """The environment variables by which a stage's process finds itself in this run."""
        photos = {PHOTOS_VARIABLE: self.photos} if self.photos else {}
        own = {**state_variable(self.project.state), RUN_VARIABLE: self.name}
        return {**own, **photos, **self.variables}

    def load(self, kind: type[Kind]) -> Kind:
        """This run's record of that kind. Raises LineageError when it is not there yet."""
        return kind.load(folder_of(self.root, self.name, kind))


def is_of_a_run(recipe: str) -> bool:
    """Whether this process does a stage of a run, which holds the recipe's lock."""
    return os.environ.get(RUN_VARIABLE) == recipe


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
