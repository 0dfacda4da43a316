"""Why a training begins anew, where one of its recipe was broken off: what that one's key was made of lies
beside its states until it has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from components.core.files import write_text
from components.core.own_state import read_json
from components.core.parts import canonical_json
from components.services.storage import is_s3
from components.train.states import state_files, trainings_of

FILE = "rests_on.json"


def note(storage: str, recipe: str, name: str, rests_on: Mapping[str, str]) -> None:
    """Note what a training rests on, by what it is called; a line, with what differs, where it does not go
    on from the newest one that was broken off. States in a store of objects tell nothing.
    """
    if is_s3(storage):
        return
    folder = Path(storage) / name
    others = [
        path
        for path in Path(storage).glob(f"*/{FILE}")
        if trainings_of(recipe).fullmatch(path.parent.name)
        and path.parent != folder
        and state_files(path.parent)
    ]
    if others and not state_files(folder):
        newest = max(others, key=lambda path: path.stat().st_mtime)
        before = read_json(newest) or {}
        changed = [what for what in {**rests_on, **before} if before.get(what) != rests_on.get(what)]
        print(
            f"train: {recipe} begins anew: its training that was broken off ({newest.parent}) was another, by"
            f" its {', '.join(changed)}",
            file=sys.stderr,
        )
    write_text(folder / FILE, canonical_json(dict(rests_on)) + "\n")


def ended(storage: str, name: str) -> None:
    """It came to its end, so that nobody goes on from it."""
    if not is_s3(storage):
        (Path(storage) / name / FILE).unlink(missing_ok=True)
