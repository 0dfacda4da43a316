"""What a training starts from: train.start of a recipe, as a model in a folder of this machine.

The champion is asked for when a training is due. That it has moved is no reason to train: every promoted
training would be a reason for the next. Its digest is in the training's key and record.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from components.core.files import atomic_path
from components.core.records import Checkpoint, PhotoSet
from components.pipeline.enclosed import start_folder
from components.pipeline.heritage import learned_by, photos_in
from components.recipes import Recipe
from components.register.export import RECORDS, WEIGHTS_PLACE
from components.registry.lineage import resolve
from components.services import tracking
from components.services.storage import is_s3
from components.services.tracking import registry
from components.train.states import states_place
from components.train.warm_start import Parent, kept_state

SCRATCH, CHAMPION = "scratch", "champion"
PARENTS = "parents"  # in the state folder: models that came from the registry, by their digest


def parent_of(recipe: Recipe, state: Path, folder: Path | None = None) -> Parent | None:
    """The model that a recipe's training starts from; None from scratch, or while there is no champion yet.

    state: the state folder, below which what comes from the registry is kept; folder: where the folder of
    train.start lies, if it came from another machine.

    Raises InputError or LineageError when there is no such model.
    """
    start = recipe.train.start
    if start == SCRATCH:
        return None
    if (folder := folder or start_folder(start)) is not None:
        found: Parent | None = _in_folder(start, folder)
    elif start == CHAMPION:
        found = _champion(recipe.register_.name, state)
    else:
        found = _registered(resolve(start), state)
    if found is None:
        return None
    storage = states_place()
    kept = None if is_s3(storage) else kept_state(Path(storage), found.checkpoint)
    return replace(found, state=kept, learned=learned_by(found.checkpoint, found.name, state / PARENTS))


def _champion(name: str, state: Path) -> Parent | None:
    tracking.prepare()
    version = tracking.at_alias(name, tracking.CHAMPION)
    if version is None:
        print(f"train: {name} has no champion yet, so this training starts from scratch", file=sys.stderr)
        return None
    return _registered(version, state)


def _registered(version: tracking.Version, state: Path) -> Parent:
    """A version's generators and records, once fetched kept by their digest."""
    folder = state / PARENTS / version.tags[registry.CHECKPOINT]
    if not (folder / Checkpoint.FILE).is_file():
        with tracking.fetch(version, "") as fetched:
            nets = (Checkpoint.WEIGHTS, Checkpoint.CONFIG)
            places = {name: fetched / WEIGHTS_PLACE / name for name in nets}
            back = {f"{Checkpoint.BACK}/{name}": fetched / Checkpoint.BACK / name for name in nets}
            if Checkpoint.load(fetched / RECORDS).back_sha256 is not None:
                places |= back
            # The checkpoint's record last: who finds it finds all.
            for name in (PhotoSet.FILE, PhotoSet.TABLE, Checkpoint.FILE):
                places[name] = fetched / RECORDS / name
            for name, path in places.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(folder / name) as temporary:
                    shutil.copyfile(path, temporary)
    return _in_folder(f"{version.name}:{version.number}", folder)


def _in_folder(name: str, folder: Path) -> Parent:
    return Parent(name, Checkpoint.load(folder).verify(), photos_in(folder) or frozenset())
