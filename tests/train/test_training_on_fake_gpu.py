"""A whole training on a GPU that is not there (fake_gpu.py): pairs from files or rendered there, steps,
readings, validations, states kept and taken up again, also as one of two workers. The processor waits where
it reads a number that people are told, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import fake_gpu as fake_gpu_module
import pytest
import torch
import torch.distributed as dist
from fake_gpu import GPU, fake_gpu
from fresh_pairs import fresh_set
from pairs import make_pairs
from small_training import LOGITS, Memory, config, data_of
from torch import Tensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._pytree import tree_leaves, tree_map_only
from watched_operations import HALF, Watched, order_of

from components.core.records import PairSet
from components.train import loop as loop_module
from components.train import training_state
from components.train.data import load_steps
from components.train.ending import Ending
from components.train.loop import Loop
from components.train.readings import Readings
from components.train.step import optimizers
from components.train.step.terms import Terms
from components.train.training_state import _copied
from components.train.worker_group import World

SETTINGS: dict[str, Any] = {
    **LOGITS,
    "phases": [{"name": "joint", "images": 4, "crop_px": 32, "batch": 2}],
    "precision": "bf16",
    "channels_last": True,
    "validate_every": 100,
    "log_every": 1,
    "loader_processes": 0,
    "state_every_s": 1e-9,
    "average_last": 0.5,
}
# Where numbers are read that people are told, or that all workers must agree on; where a net or a table is
# brought to the GPU once.
MEASURED = {"check_photos", "photo_on", "values_of"}  # a validation's metrics, on the GPU too
READ = {"Readings.read", "validate", "World.apart", "Loop._is_time_for_a_state", "_measured"} | MEASURED
ONCE = {"DomainMapping.__init__", "DiscriminatorGroup.__init__"}
TABLES = {"_light_of_levels", "_levels_of_light", "_quantiles", "_transform_on"}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PairSet]:
    return {
        "files": make_pairs(tmp_path_factory.mktemp("pairs")),
        "rendered": fresh_set(tmp_path_factory.mktemp("fresh"))[1],
    }


@pytest.fixture
def watched() -> Iterator[Watched]:
    with fake_gpu() as found:
        yield found


class AtOnce:
    """In the place of the thread that writes: two cannot look at one fake mode's tensors."""

    def __init__(self, threads: int) -> None:
        assert threads == 1

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*given))
        except AssertionError as error:
            done.set_exception(error)
        return done


class Kept(Memory):
    """States as they are, since they have no bytes, copied as for another thread."""

    in_background = True

    def __init__(self, watched: Watched, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.kept: list[dict[str, Any]] = []
        self._watched = watched
        patch.setattr(training_state, "ThreadPoolExecutor", AtOnce)
        patch.setattr(training_state, "write_state", self._write)
        patch.setattr(training_state, "read_state", lambda data: self.kept[int(data)])

    def _write(self, state: dict[str, Any]) -> bytes:
        for leaf in tree_leaves(state["step"]):
            if isinstance(leaf, Tensor):
                self._watched.need_arrived(leaf)
                assert leaf.device.type == "cpu"
                assert self._watched.is_pinned(leaf)
        self.kept.append(state)
        return str(len(self.kept) - 1).encode()


def trained(pairset: PairSet, memory: Kept, world: World) -> Loop:
    loop = Loop(config(**SETTINGS), data_of(pairset), world, memory, memory, {})
    loop.run()
    return loop


def need_in_place(loop: Loop) -> None:
    """All on the GPU, moments laid as their weights are."""
    state = loop.step.state()
    assert {leaf.device for leaf in tree_leaves(state) if isinstance(leaf, Tensor)} == {GPU}
    update = loop.step.update_discriminators
    assert update is not None
    for optimizer in (loop.step.update_generator.optimizer, update.optimizer):
        for weight, remembered in optimizer.state.items():
            assert remembered["exp_avg"].stride() == weight.stride()


@pytest.mark.parametrize(
    ("kind", "tables"), [("files", set()), ("rendered", TABLES)], ids=["files", "rendered"]
)
def test_a_training_waits_where_numbers_are_read_and_nowhere_else(
    kind: str,
    tables: set[str],
    sets: dict[str, PairSet],
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Kept(watched, monkeypatch)
    loop = trained(sets[kind], memory, World.alone(GPU))
    assert MEASURED <= set(watched.waited) <= READ | ONCE | tables
    assert tables <= set(watched.waited)
    assert all(watched.waited[table] == 1 for table in tables)
    assert loop.progress.images_seen == 4
    assert memory.values.keys() == {0, 2, 4}
    assert len(memory.kept) == 3
    need_in_place(loop)
    weights = memory.kept[-1]["step"]["generator"]
    assert {order_of(weight) for weight in weights.values()} == {"last", "either"}


def test_a_state_is_taken_up_again_on_the_gpu(
    sets: dict[str, PairSet], watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Kept(watched, monkeypatch)
    trained(sets["files"], memory, World.alone(GPU))
    del memory.states[-1]
    again = trained(sets["files"], memory, World.alone(GPU))
    assert memory.began == 2
    assert again.progress.images_seen == 4
    need_in_place(again)


@pytest.fixture
def two_workers(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The first of two; messages cost nothing and bring nothing, so that the answer is a number alone."""
    monkeypatch.setattr(Ending, "is_asked", lambda ending: ending._answer() == "never")
    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    yield World.of_process_group(GPU)
    dist.destroy_process_group()


def test_one_of_two_workers_waits_for_no_more(
    two_workers: World, sets: dict[str, PairSet], watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = trained(sets["files"], Kept(watched, monkeypatch), two_workers)
    assert set(watched.waited) <= READ | ONCE
    assert "World.apart" in watched.waited
    assert loop.progress.images_seen == 4
    need_in_place(loop)


def item_each_step(self: Readings, terms: Terms, images: int, waited: float) -> None:
    assert terms["generator/total"].item() == HALF


def by_pageable_memory(state: Any, left: set[torch.device]) -> Any:
    return tree_map_only(Tensor, Tensor.cpu, state)


# Of what must not be: the module or class, the name in it, what stands there instead, how many workers.
FAULTS: dict[str, tuple[object, str, Any, int]] = {
    "batches from pageable memory": (
        loop_module,
        "load_steps",
        lambda *args, **named: load_steps(*args, **named | {"pin": False}),
        1,
    ),
    "batches waited for": (loop_module, "to_net", lambda picture, device: picture.to(device).float(), 1),
    "a number each step": (Readings, "add", item_each_step, 1),
    "a state read before it has come": (training_state, "copied", lambda state: _copied(state, set()), 1),
    "a state in pageable memory": (
        training_state,
        "_copied",
        lambda state, left: tree_map_only(Tensor, Tensor.cpu, state),
        1,
    ),
    "workers' word read before it has come": (fake_gpu_module._Event, "synchronize", lambda event: None, 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_would_hold_a_training_up_is_caught(
    fault: str,
    sets: dict[str, PairSet],
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    where, name, instead, workers = FAULTS[fault]
    world = World.alone(GPU) if workers == 1 else request.getfixturevalue("two_workers")
    monkeypatch.setattr(where, name, instead)
    memory = Kept(watched, monkeypatch)

    def training_that_waits_at_readings_alone() -> None:
        trained(sets["files"], memory, world)
        assert set(watched.waited) <= READ | ONCE

    with pytest.raises(AssertionError):
        training_that_waits_at_readings_alone()


def test_moments_that_stayed_on_the_processor_are_caught(
    sets: dict[str, PairSet], watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = optimizers.Adam.load_state_dict

    def left_there(optimizer: torch.optim.Optimizer, state: Any) -> None:
        load(optimizer, state)
        for remembered in optimizer.state.values():
            remembered["exp_avg"] = remembered["exp_avg"].cpu()

    memory = Kept(watched, monkeypatch)
    trained(sets["files"], memory, World.alone(GPU))
    monkeypatch.setattr(optimizers.Adam, "load_state_dict", left_there)
    with pytest.raises((AssertionError, RuntimeError)):
        need_in_place(trained(sets["files"], memory, World.alone(GPU)))
