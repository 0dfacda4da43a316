"""Where trainings without Ray keep their states, and which states are dropped."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from components.core.errors import LineageError
from components.core.files import write_bytes
from components.core.own_state import read_or_set_aside
from components.services import storage as objects
from components.train.training_state import is_whole

KEPT_TRAININGS = 3


class FolderStore:
    """States in a local folder, for trainings without Ray: the newest two are kept."""

    in_background = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _states(self) -> list[Path]:
        return sorted(self._folder.glob("state-*.pt"))

    def load(self) -> bytes | None:
        """The newest state that is whole; those after it are set aside."""
        for path in reversed(self._states()):
            data: bytes | None = read_or_set_aside(path, _whole)
            if data is not None:
                return data
        return None

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
    pattern = _trainings_of(recipe)
    others = [path for path in storage.iterdir() if pattern.fullmatch(path.name) and path.name != current]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_TRAININGS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def prune_in_store(storage: str, recipe: str, current: str) -> None:
    """The same of states at an s3:// address."""
    pattern = _trainings_of(recipe)
    found: dict[str, list[tuple[str, float]]] = {}
    for name, _, changed_s in objects.list_dated(storage):
        training = name.split("/")[0]
        if pattern.fullmatch(training) and training != current:
            found.setdefault(training, []).append((name, changed_s))
    newest = sorted(found, key=lambda training: max(changed for _, changed in found[training]), reverse=True)
    for training in newest[KEPT_TRAININGS - 1 :]:
        for name, _ in found[training]:
            objects.remove(objects.join(storage, name))


def _trainings_of(recipe: str) -> re.Pattern[str]:
    return re.compile(re.escape(recipe) + r"-[0-9a-f]{20}")
