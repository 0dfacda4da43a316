"""Where a run happens: in the checkout by hand, in a git worktree of its own when scheduled; never
twice at once for a recipe.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from components.core.files import checkout_variable, need_plain, state_kept_in, write_text
from components.pipeline.project import Project, Run
from components.pipeline.recipe_lock import held
from components.services import versioning


@contextmanager
def workspace(
    recipe: str,
    project: Project,
    *,
    photos: str | None = None,
    worktree: bool = False,
    debug: bool = False,
) -> Iterator[Run]:
    """Make the one object that a run is, with the recipe's lock held for as long as the block
    lasts.

    photos: takes the place of the recipe's ingest.photos; worktree: HEAD in a folder of its own,
    with this checkout's cache and state.
    Raises BusyError, naming the holder's process and since when, if another run of the recipe is at
    work; RecipeError for a wrong value.
    """
    need_plain(project.root)
    versioning.need_clone(project.root)
    versioning.need_in_graph(project.root, recipe)
    run = Run.of(project, recipe, photos=photos)
    with held(recipe, project.state) as holder, state_kept_in(project.state):
        if (why := versioning.fetch_runs(recipe, root=project.root)) is not None:
            print(f"warning: the runs of others could not be had from {why}", file=sys.stderr)
        versioning.mend(recipe, root=project.root)
        if worktree:
            with _worktree(recipe, project) as (own, variables):
                run = Run.of(own, recipe, photos=photos)
                order = versioning.stage_order(own.root)
                yield replace(run, order=order, debug=debug, variables=variables, holder=holder)
        else:
            if (last := versioning.last_run(recipe, root=project.root)) is not None:
                versioning.take_lock(recipe, last, root=project.root)
            order = versioning.stage_order(project.root)
            yield replace(run, order=order, debug=debug, holder=holder)


@contextmanager
def _worktree(recipe: str, project: Project) -> Iterator[tuple[Project, dict[str, str]]]:
    """HEAD checked out beside the state, and the variables that make stages use its code."""
    root, state = project.root, project.state
    for left in _left_of_killed_runs(recipe, state):
        versioning.remove_worktree(left, root=root)
    folder = state / "worktrees" / f"{recipe}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    versioning.add_worktree(folder, root=root)
    try:
        versioning.share_with(root, folder)
        last = versioning.last_run(recipe, root=root)
        lock = versioning.file_at(last, "dvc.lock", root=root) if last else None
        if lock:
            write_text(folder / "dvc.lock", lock)
        paths = os.pathsep.join(part for part in (str(folder), os.environ.get("PYTHONPATH", "")) if part)
        yield Project(folder, state), {"PYTHONPATH": paths, **checkout_variable(root)}
    finally:
        versioning.remove_worktree(folder, root=root)


def _left_of_killed_runs(recipe: str, state: Path) -> list[Path]:
    """The recipe's worktrees: with its lock held, none of them is in use."""
    own = re.compile(rf"{re.escape(recipe)}-\d{{8}}T\d{{6}}Z-\d+")
    return [folder for folder in (state / "worktrees").glob(f"{recipe}-*") if own.fullmatch(folder.name)]
