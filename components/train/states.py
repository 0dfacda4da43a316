"""Where trainings keep their states, which of a training's is the one to go on from, and which are
dropped.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import InputError, LineageError
from components.core.files import need_free_space, state_folder, write_bytes
from components.core.own_state import read_or_set_aside
from components.services import storage as objects
from components.services.cluster import is_cluster
from components.services.content.places import states_in_store, states_named, states_refused
from components.services.storage import is_s3
from components.train.training_state import is_whole, read_state

KEPT_TRAININGS = 3
WITHOUT_RAY, BY_RAY = "state-*.pt", "checkpoint_*/state.pt"  # as they lie in a training's folder


def state_files(folder: Path) -> list[Path]:
    """All states in a training's folder, by whomever they were kept."""
    return [path for kind in (WITHOUT_RAY, BY_RAY) for path in folder.glob(kind)]


def newest_state(folder: Path, *, set_aside: bool = False) -> tuple[Path, bytes] | None:
    """The state that is furthest on in a training's folder, of those that are whole, by whomever it was
    kept: a process without Ray, or Ray's workers. How many train changes no key, so each goes on from
    what the other left.

    set_aside: take what cannot be read out of the way, where nobody else reads here; else it is passed.
    """
    kinds = (_newest_whole(sorted(folder.glob(kind)), set_aside) for kind in (WITHOUT_RAY, BY_RAY))
    found = [one for one in kinds if one is not None]
    return max(found, key=lambda one: _standing(one[1])) if len(found) > 1 else next(iter(found), None)


def _newest_whole(oldest_first: list[Path], set_aside: bool) -> tuple[Path, bytes] | None:
    for path in reversed(oldest_first):
        data: bytes | None = None
        if set_aside and path.match(WITHOUT_RAY):  # Ray keeps account of its own
            data = read_or_set_aside(path, _whole)
        elif path.is_file() and not is_whole(data := path.read_bytes()):
            print(
                f"refocus: the training state at {path} cannot be read; the one before it is taken",
                file=sys.stderr,
            )
            data = None
        if data is not None:
            return path, data
    return None


def _standing(state: bytes) -> tuple[int, int, int, bool]:
    """How far on a state is, of two of one training: a rollback goes back to fewer images."""
    progress = read_state(state)["progress"]
    return progress["rollbacks"], progress["images_seen"], progress["phase"], not progress["validation_due"]


@dataclass(frozen=True)
class InFolder:
    """What Ray's workers go on from where a training's states lie in a folder that all of them reach."""

    folder: Path

    def __call__(self) -> bytes | None:
        """The state that is furthest on, by whomever it was kept."""
        found = newest_state(self.folder)
        return None if found is None else found[1]


class FolderStore:
    """States in a local folder, for trainings without Ray: the newest two are kept."""

    in_background = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _states(self) -> list[Path]:
        return sorted(self._folder.glob(WITHOUT_RAY))

    def load(self) -> bytes | None:
        """The state that is furthest on, also of Ray's workers in this folder; what cannot be read is set
        aside.
        """
        found = newest_state(self._folder, set_aside=True)
        return None if found is None else found[1]

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Write the state whole, then drop all but two, and those further on, which a rollback left."""
        assert state is not None, "there is one worker, and it leads"
        newest = self._folder / f"state-{images_seen:012d}.pt"
        write_bytes(newest, state)
        kept = self._states()
        place = kept.index(newest)
        for other in (*kept[: max(place - 1, 0)], *kept[place + 1 :]):
            other.unlink()


def _whole(data: bytes) -> bytes:
    if not is_whole(data):
        raise LineageError(f"a training state of {len(data)} bytes was cut or altered")
    return data


def prune(storage: Path, recipe: str, current: str) -> None:
    """Drop the states of all but the newest trainings of a recipe: each holds both nets and their
    optimisers.
    """
    pattern = trainings_of(recipe)
    others = [path for path in storage.iterdir() if pattern.fullmatch(path.name) and path.name != current]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_TRAININGS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def prune_in_store(storage: str, recipe: str, current: str) -> None:
    """The same of states at an s3:// address."""
    pattern = trainings_of(recipe)
    found: dict[str, list[tuple[str, float]]] = {}
    for name, _, changed_s in objects.list_dated(storage):
        training = name.split("/")[0]
        if pattern.fullmatch(training) and training != current:
            found.setdefault(training, []).append((name, changed_s))
    newest = sorted(found, key=lambda training: max(changed for _, changed in found[training]), reverse=True)
    for training in newest[KEPT_TRAININGS - 1 :]:
        for name, _ in found[training]:
            objects.remove(objects.join(storage, name))


def trainings_of(recipe: str) -> re.Pattern[str]:
    """The names of a recipe's trainings."""
    return re.compile(re.escape(recipe) + r"-[0-9a-f]{20}")


def states_place() -> str:
    """The folder or s3:// address below which the trainings' states lie: the one that is named; for a
    cluster the team's store; else this machine's state folder.
    """
    shared = states_in_store() if is_cluster() else None
    return states_named() or shared or str(_of_this_machine())


def _of_this_machine() -> Path:
    return state_folder() / "training"


def place_for_states(recipe: str, name: str, *, by_ray: bool) -> str:
    """The same, with room for one training more; a line where its states of earlier lie in another
    place, from which it does not go on.
    """
    storage = states_place()
    if not is_s3(storage):
        need_free_space(Path(storage), 300, "training")
        prune(Path(storage), recipe, name)
    elif not by_ray:
        raise InputError(states_refused("needs Ray: set train.workers to 1 or more, or name a folder"))
    else:
        prune_in_store(storage, recipe, name)
    here = _of_this_machine() / name
    if storage != str(here.parent) and (files := state_files(here)):
        print(
            f"train: of this training {len(files)} {'state lies' if len(files) == 1 else 'states lie'} in"
            f" {here}, from which it does not go on: now its states are kept in {storage}/{name}",
            file=sys.stderr,
        )
    return storage
