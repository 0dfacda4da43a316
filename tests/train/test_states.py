"""Which states of trainings are kept: in a folder and in a store, the newest trainings of a recipe."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from components.services import storage
from components.train.states import KEPT_TRAININGS, prune, prune_in_store

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
