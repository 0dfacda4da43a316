"""Training on two domains without pairs: what stands where, and that it is unpaired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import CPU, CRITIC, LOGITS, KilledError, Memory, config, run, weights_of

from components.core.errors import InputError, LineageError
from components.core.files import sha256_of_file
from components.core.images import write_png
from components.core.records import SPLITS, Pair, PairSet, TargetPhoto, Unpaired
from components.core.seeds import stream
from components.train.config import TrainConfig
from components.train.data import Data, places_of_step
from components.train.fitting import croppable, refuse_missing_partners
from components.train.loop import Loop
from components.train.on_the_fly import training_set
from components.train.training_state import read_state
from components.train.unpaired import UnpairedSet

CYCLE = {
    **LOGITS,
    "adversarial": {"kind": "least_squares"},
    "discriminators": [CRITIC | {"norm": "none"}],
    "content": [],
    "cycle": {"consistency": [{"kind": "l1", "weight": 10.0}], "identity": [{"kind": "l1", "weight": 5.0}]},
    "history": {"size": 4},
    "validate_metrics": ["rmse_shrunk4_rgb"],
    "rollback": None,
}


def unpaired_set(folder: Path, *, inputs: int = 5, targets: int = 7, size_px: int = 48) -> PairSet:
    """Two domains: inputs whose value is their number, smooth; targets with coarse blocks."""
    rows: list[Pair] = []
    others: list[TargetPhoto] = []
    for split in SPLITS:
        for index in range(inputs if split == "train" else 2):
            name = f"i{split}{index}"
            picture = np.full((size_px, size_px, 3), 10 * index + 5, np.uint8)
            picture[::2] += 3
            path = f"{split}/input/{name}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / path, picture)
            digest = sha256_of_file(folder / path)
            rows.append(
                Pair(
                    id=name,
                    split=split,
                    photo=name,
                    input=path,
                    target=path,
                    input_sha256=digest,
                    target_sha256=digest,
                    width=size_px,
                    height=size_px,
                    blur_kind="unpaired",
                    drawn={},
                    severity=0.0,
                    severity_class="mild",
                    seed=0,
                )
            )
        for index in range(targets if split == "train" else 2):
            name = f"t{split}{index}"
            coarse = stream(name).integers(0, 256, (size_px // 4, size_px // 4, 3))
            path = f"{split}/target/{name}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / path, np.kron(coarse, np.ones((4, 4, 1), np.int64)).astype(np.uint8))
            others.append(
                TargetPhoto(
                    id=name,
                    split=split,
                    photo=name,
                    target=path,
                    target_sha256=sha256_of_file(folder / path),
                    width=size_px,
                    height=size_px,
                    group=name,
                )
            )
    other = Unpaired(
        targets={split: sum(row.split == split for row in others) for split in SPLITS},
        targets_sha256=PairSet.write_table(folder, tuple(others), PairSet.TARGETS),
        scenes_in_both=0,
    )
    return PairSet(
        photoset="0" * 64,
        config_digest="0" * 64,
        counts={split: sum(row.split == split for row in rows) for split in SPLITS},
        table_sha256=PairSet.write_table(folder, tuple(rows)),
        unpaired=other,
    ).save(folder)


@pytest.fixture(scope="module")
def unpaired(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return unpaired_set(tmp_path_factory.mktemp("unpaired"))


def cycle(**changes: object) -> TrainConfig:
    return config(**CYCLE | changes)


def drawn(dataset: UnpairedSet, positions: range) -> list[tuple[str, str]]:
    return [
        (dataset._name("input", ("generator", at)), dataset._name("target", ("generator", at)))
        for at in positions
    ]


def test_each_domain_comes_in_a_permutation_of_its_own(unpaired: PairSet) -> None:
    dataset = training_set(Data.of(unpaired), cycle(), 16, CPU.device)
    assert isinstance(dataset, UnpairedSet)
    names = drawn(dataset, range(35))
    for domain, count in ((0, 5), (1, 7)):
        for begin in range(0, 35, count):
            assert len({name[domain] for name in names[begin : begin + count]}) == count
    assert len(set(names)) > 20, "an input meets many targets"


def test_an_epoch_is_a_pass_over_the_larger_domain(unpaired: PairSet) -> None:
    assert Data.of(unpaired).epoch == 7


def test_the_same_place_gives_the_same_crops_and_workers_part_what_one_would_see(unpaired: PairSet) -> None:
    sets = [training_set(Data.of(unpaired), cycle(), 16, CPU.device) for _ in range(2)]
    for place in places_of_step(12, 4, 1, 0, 1):
        for one, other in zip(*(each[place] for each in sets), strict=True):
            assert one.shape == (3, 16, 16)
            assert torch.equal(one, other)
    parts = [places_of_step(12, 4, 1, rank, 2) for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(places_of_step(12, 4, 1, 0, 1))


def test_unpaired_is_unpaired(unpaired: PairSet) -> None:
    """Whichever order the files of one domain stand in, every input meets every target as often."""
    data = Data.of(unpaired)
    meetings = []
    for order in (1, -1):
        dataset = UnpairedSet(data.reader, data.train[::order], data.targets, cycle(), 16)  # type: ignore[arg-type]
        seen = np.zeros((5, 7))
        inputs, targets = (
            sorted({row.input for row in data.train}),
            sorted(row.target for row in data.targets),
        )  # type: ignore[union-attr]
        for input, target in drawn(dataset, range(35 * 40)):
            seen[inputs.index(input), targets.index(target)] += 1
        meetings.append(seen / seen.sum())
    # Expectations of any loss of (input, target) are means over these; both are uniform within chance.
    for seen in meetings:
        assert np.abs(seen - 1 / 35).max() < 0.015


def test_a_training_that_was_killed_goes_on_to_the_same_weights_of_both_ways(unpaired: PairSet) -> None:
    whole, killed = Memory(), Memory(die_after=12)
    run(cycle(), unpaired, whole)
    with pytest.raises(KilledError):
        run(cycle(), unpaired, killed)
    run(cycle(), unpaired, killed_again := _going_on(killed))
    for one, other in zip(weights_of(whole.states[-1]), weights_of(killed_again.states[-1]), strict=True):
        assert torch.equal(one, other)
    further = [
        read_state(memory.states[-1])["step"]["further"][0]["average"] for memory in (whole, killed_again)
    ]
    assert all(torch.equal(further[0][name], further[1][name]) for name in further[0])


def _going_on(killed: Memory) -> Memory:
    memory = Memory()
    memory.states = list(killed.states)
    return memory


def test_validation_holds_restored_pictures_against_their_inputs(unpaired: PairSet) -> None:
    memory = Memory()
    Loop(cycle(), Data.of(unpaired), CPU, memory, memory, {}).run()
    assert memory.values[0]["validation/rmse_shrunk4_rgb"] < 1.0, "the net begins by changing nothing"
    assert "generator/cycle_l1_back" in memory.values[20]


def test_what_needs_pairs_is_refused_where_there_are_none(unpaired: PairSet) -> None:
    with pytest.raises(InputError, match=r"the content loss l1 looks at an input beside its own target"):
        refuse_missing_partners(unpaired, cycle(content=[{"kind": "l1"}]))
    with pytest.raises(InputError, match=r"train\.cycle is not set"):
        refuse_missing_partners(unpaired, config())
    refuse_missing_partners(unpaired, cycle())


def test_targets_too_small_for_the_crops_are_left_out_and_counted(tmp_path: Path) -> None:
    pairset = unpaired_set(tmp_path)
    data = Data.of(pairset)
    small = data.targets[0].model_copy(update={"width": 12})
    found, left_out = croppable(replace(data, targets=(small, *data.targets[1:])), cycle(max_left_out=0.5))
    assert len(found.targets) == 6
    assert [one.name for one in left_out.left_out] == [small.id]
    every = tuple(row.model_copy(update={"width": 12}) for row in data.targets)
    with pytest.raises(LineageError, match="a domain has no training picture"):
        croppable(replace(data, targets=every), cycle(max_left_out=1.0))
