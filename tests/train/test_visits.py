"""Several crops from a visit: fewer pictures to decode, other crops of them, the order a function of position
as ever.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from fresh_pairs import fresh_set
from pairs import make_pairs
from small_training import CPU, KilledError, Memory, config, run, weights_of
from test_unpaired import CYCLE, unpaired_set

from components.core.records import PairSet
from components.services.content import FolderReader
from components.train.data import Data, PairDataset, TrainingSet, load_steps
from components.train.on_the_fly import training_set
from components.train.visits import Visits

KINDS = ("files", "on_the_fly", "unpaired")
START, BATCH, CROPS = 6, 2, 3
VISITS = Visits(START, BATCH, CROPS)
CHANGES: dict[str, Any] = {"keep_decoded_gb": 0.0, "crops_per_visit": CROPS}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PairSet]:
    folder = tmp_path_factory.mktemp("sets")
    return {
        "files": make_pairs(folder / "files"),
        "on_the_fly": fresh_set(folder / "fresh")[1],
        "unpaired": unpaired_set(folder / "unpaired"),
    }


def of(pairset: PairSet, visits: Visits = VISITS) -> TrainingSet:
    own = CYCLE if pairset.unpaired is not None else {}
    return training_set(Data.of(pairset), config(**own | CHANGES), 16, CPU.device, visits)


def loaded(
    pairset: PairSet, start: int = START, *, visits: Visits = VISITS, **how: int
) -> list[list[torch.Tensor]]:
    named: dict[str, Any] = {
        "stop": START + 8 * BATCH,
        "batch": BATCH,
        "updates": 2,
        "rank": 0,
        "size": 1,
        "processes": 0,
    } | how
    return list(load_steps(of(pairset, visits), start=start, pin=False, **named))


def same(ours: list[list[torch.Tensor]], theirs: list[list[torch.Tensor]]) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(one, other)
        for step, its in zip(ours, theirs, strict=True)
        for one, other in zip(step, its, strict=True)
    )


def test_each_place_of_a_batch_keeps_its_picture_for_so_many_steps() -> None:
    numbers = [[VISITS.number(START + BATCH * step + slot) for slot in range(BATCH)] for step in range(9)]
    assert numbers == [[6, 7]] * 3 + [[8, 9]] * 3 + [[10, 11]] * 3, (
        "as an order of every position would go on"
    )
    assert [Visits(START, BATCH).number(at) for at in range(START, 30)] == list(range(START, 30))


@pytest.mark.parametrize("kind", KINDS)
def test_no_crop_comes_twice_and_every_picture_as_often(sets: dict[str, PairSet], kind: str) -> None:
    dataset, count = of(sets[kind], Visits(0, BATCH, CROPS)), Data.of(sets[kind]).epoch
    places = [("generator", at) for at in range(BATCH * CROPS * count)]  # 2 passes
    drawn = Counter(dataset.drawn(place, count) for place in places)
    assert drawn == dict.fromkeys(range(count), BATCH * CROPS)
    crops = [dataset.finished(dataset.__getitems__([place])) for place in places[: BATCH * CROPS : BATCH]]
    assert len({dataset.drawn(place, count) for place in places[: BATCH * CROPS : BATCH]}) == 1
    for one, other in pairwise(crops):
        assert not torch.equal(one[1], other[1])


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_and_a_restart_in_the_middle_of_a_visit_change_nothing(
    sets: dict[str, PairSet], kind: str
) -> None:
    whole = loaded(sets[kind])
    assert len(whole) == 8
    assert same(loaded(sets[kind], START + 4 * BATCH), whole[4:])
    ranks = [loaded(sets[kind], rank=rank, size=BATCH) for rank in range(BATCH)]
    for number, step in enumerate(whole):
        for rank in range(BATCH):
            assert all(map(torch.equal, ranks[rank][number], (part[rank::BATCH] for part in step)))


class Counting(FolderReader):
    """Files below a folder; every read leaves a line in a file, whichever process reads."""

    def read(self, name: str) -> bytes:
        with (self.folder / "reads.txt").open("a") as file:
            file.write(f"{name}\n")
        return super().read(name)


@pytest.mark.parametrize("processes", [0, 2])
def test_a_picture_is_decoded_once_a_visit_whoever_loads(tmp_path: Path, processes: int) -> None:
    pairs = make_pairs(tmp_path).pairs("train")
    visits, few = Visits(0, 1, 3), len(pairs) // 2 * 2
    alone = PairDataset(tmp_path, pairs, config(**CHANGES), 16)
    counted = PairDataset(Counting(tmp_path), pairs, config(**CHANGES), 16)
    alone.visits = counted.visits = visits
    named: dict[str, Any] = {"start": 0, "stop": 3 * few, "batch": 1, "updates": 1, "rank": 0, "size": 1}
    ours = list(load_steps(counted, **named, processes=processes, pin=False))
    assert same(ours, list(load_steps(alone, **named, processes=0, pin=False)))
    reads = Counter((tmp_path / "reads.txt").read_text().split())
    assert set(reads.values()) == {1}
    assert len(reads) == 2 * few


def test_a_training_killed_in_a_visit_ends_as_one_that_was_not(tmp_path: Path) -> None:
    pairset = make_pairs(tmp_path)
    whole, killed, rest, plain = Memory(), Memory(die_after=13), Memory(), Memory()
    run(config(**CHANGES), pairset, whole)
    with pytest.raises(KilledError):
        run(config(**CHANGES), pairset, killed)
    rest.states = killed.states
    assert run(config(**CHANGES), pairset, rest).images_seen == 20, "an epoch has as many images as ever"
    assert all(map(torch.equal, weights_of(rest.states[-1]), weights_of(whole.states[-1])))
    run(config(), pairset, plain)
    assert not all(map(torch.equal, weights_of(plain.states[-1]), weights_of(whole.states[-1])))


def test_the_setting_is_in_the_key_where_it_says_something() -> None:
    assert "crops_per_visit" not in config().model_dump()
    assert config(crops_per_visit=1).key_digest() == config().key_digest()
    assert config(crops_per_visit=2).key_digest() != config().key_digest()
