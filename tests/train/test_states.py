"""Which states of trainings are kept, in a folder and in a store, and which one a training goes on from."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from components.services import storage
from components.services.cluster import RayStore
from components.train.states import (
    KEPT_TRAININGS,
    FolderStore,
    InFolder,
    place_for_states,
    prune,
    prune_in_store,
)
from components.train.training_state import is_whole, write_state

OLD = [f"demo-{number:020x}" for number in range(4)]
NEW, CURRENT = f"demo-{10:020x}", f"demo-{11:020x}"
OTHERS = ["demo_seed-00000000000000000000", "deblurgan-00000000000000000000", "demo-notes"]


def test_a_folder_keeps_the_newest_trainings_of_a_recipe(tmp_path: Path) -> None:
    for age, name in enumerate([CURRENT, NEW, *OLD, *OTHERS]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.pt").write_bytes(b"state")
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    prune(tmp_path, "demo", CURRENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([CURRENT, NEW, OLD[0], *OTHERS])


@pytest.mark.services
def test_a_store_keeps_as_many(bucket: str) -> None:
    def put(name: str) -> None:
        for file in ("checkpoint_1/state.pt", "checkpoint_2/state.pt", "snapshot.json"):
            storage.put(b"state", f"{bucket}/training/{name}/{file}")

    for name in [*OLD, *OTHERS, CURRENT]:
        put(name)
    time.sleep(1.1)  # a store tells seconds
    put(NEW)
    prune_in_store(f"{bucket}/training", "demo", CURRENT)
    left = {name.split("/")[0] for name, _ in storage.list_objects(f"{bucket}/training")}
    assert left >= {CURRENT, NEW, *OTHERS}
    assert len(left - set(OTHERS)) == KEPT_TRAININGS
    assert len(storage.list_objects(f"{bucket}/training")) == 3 * len(left), "what is kept is whole"


def state(images_seen: int, *, rollbacks: int = 0, phase: int = 0, validation_due: bool = False) -> bytes:
    return write_state(
        {
            "progress": {
                "images_seen": images_seen,
                "rollbacks": rollbacks,
                "phase": phase,
                "validation_due": validation_due,
            }
        }
    )


def put(folder: Path, alone: bytes | None, by_ray: bytes | None) -> None:
    for name, kept in (("state-000000000008.pt", alone), ("checkpoint_2026/state.pt", by_ray)):
        if kept is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(kept)


EARLIER, LATER = state(40), state(80)


@pytest.mark.parametrize(
    ("alone", "by_ray", "wanted"),
    [
        (EARLIER, None, EARLIER),
        (None, EARLIER, EARLIER),
        (EARLIER, LATER, LATER),
        (LATER, EARLIER, LATER),
        (EARLIER, LATER[:-1], EARLIER),
        (LATER[:-1], EARLIER, EARLIER),
        (None, LATER[:-1], None),
        (LATER, back := state(40, rollbacks=1), back),
        (state(80, validation_due=True), LATER, LATER),
        (state(160), over := state(160, phase=1), over),
        (None, None, None),
    ],
)
def test_a_training_goes_on_from_the_state_furthest_on_whoever_kept_it(
    alone: bytes | None, by_ray: bytes | None, wanted: bytes | None, tmp_path: Path
) -> None:
    put(tmp_path, alone, by_ray)
    workers = pickle.loads(pickle.dumps(RayStore(is_whole, InFolder(tmp_path))))
    assert workers.newest(None) == wanted
    assert FolderStore(tmp_path).load() == wanted


def test_states_of_a_training_that_lie_where_it_is_not_kept_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path / "home"))
    put(tmp_path / "home" / "training" / CURRENT, EARLIER, None)
    place_for_states("demo", CURRENT, by_ray=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("REFOCUS_TRAINING_STORAGE", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    assert place_for_states("demo", CURRENT, by_ray=True) == str(tmp_path / "shared")
    assert "of this training 1 state lies in" in capsys.readouterr().err
