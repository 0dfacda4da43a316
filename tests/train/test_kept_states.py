"""States between validations: by time, when the end is asked for, written while the training goes on; none
changes what comes out.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest
import torch
from pairs import make_pairs
from small_training import CPU, Memory, config, data_of, run, weights_of

from components.core import stopping
from components.core.records import PairSet
from components.train.loop import Loop
from components.train.states import FolderStore
from components.train.training_state import copied, read_state, write_state


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def heeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals are taken as a command takes them, and given back; the watch over a slow end stays out."""
    monkeypatch.setattr(stopping, "_begun", None)
    monkeypatch.setattr(stopping, "_heeding", False)
    before = {number: signal.getsignal(number) for number in stopping.HEEDED}
    for number in stopping.HEEDED:
        signal.signal(number, stopping._heard)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


SETTINGS: dict[str, Any] = {"validate_every": 8, "log_every": 2, "keep_best": "psnr_rgb"}


def seen(states: list[bytes]) -> list[int]:
    return [read_state(state)["progress"]["images_seen"] for state in states]


def test_states_come_by_time_at_readings_beside_those_of_validations(pairset: PairSet) -> None:
    memory, seldom = Memory(), Memory()
    run(config(**SETTINGS, state_every_s=1e-9), pairset, memory)
    run(config(**SETTINGS), pairset, seldom)
    assert seen(memory.states) == [4, 8, 12, 16, 20]
    assert seen(seldom.states) == [8, 16, 20]
    for one, other in zip(weights_of(memory.states[-1]), weights_of(seldom.states[-1]), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("place", range(5))
def test_a_training_goes_on_from_any_state_to_the_same_weights(pairset: PairSet, place: int) -> None:
    whole, resumed = Memory(), Memory()
    training = config(**SETTINGS, state_every_s=1e-9)
    run(training, pairset, whole)
    resumed.states.append(whole.states[place])
    run(training, pairset, resumed)
    for one, other in zip(weights_of(whole.states[-1]), weights_of(resumed.states[-1]), strict=True):
        assert torch.equal(one, other)
    assert (
        read_state(whole.states[-1])["progress"]["best"]["value"]
        == (read_state(resumed.states[-1])["progress"]["best"]["value"])
    )


def test_a_state_between_validations_brings_what_a_rollback_goes_back_to(pairset: PairSet) -> None:
    memory = Memory()
    run(config(**SETTINGS, state_every_s=1e-9), pairset, memory)
    healthy = read_state(memory.states[2])["healthy"]  # of image 12
    assert read_state(healthy.numpy().tobytes())["progress"]["images_seen"] == 8
    assert read_state(memory.states[1])["healthy"] is None


class Ended(Memory):
    """Gets a signal when so many images are done."""

    def __init__(self, at: int, number: int) -> None:
        super().__init__()
        self._at, self._number = at, number

    def advance(self, images: int, note: str) -> None:
        super().advance(images, note)
        if self.images == self._at and images:
            os.kill(os.getpid(), self._number)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("at", [2, 6, 8, 14, 20])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_asked_to_end_loses_no_image(
    pairset: PairSet, at: int, number: signal.Signals
) -> None:
    """At 8 and 20 between the step and its validation."""
    training, whole, ended = config(**SETTINGS), Memory(), Ended(at, number)
    run(training, pairset, whole)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        run(training, pairset, ended)
    assert seen(ended.states)[-1] == at
    again = Memory()
    again.states.append(ended.states[-1])
    run(training, pairset, again)
    for one, other in zip(weights_of(whole.states[-1]), weights_of(again.states[-1]), strict=True):
        assert torch.equal(one, other)
    assert seen(again.states)[-1] == 20
    assert {**ended.values, **again.values}.keys() == whole.values.keys()


@pytest.mark.usefixtures("heeded")
def test_a_signal_waits_for_the_block_and_ends_it_where_it_asks() -> None:
    done = []

    def work() -> None:
        with stopping.deferred() as ending:
            os.kill(os.getpid(), signal.SIGTERM)
            done.append(ending.asked)
            ending.leave()
            done.append(False)

    with pytest.raises(SystemExit) as ended:
        work()
    assert done == [True]
    assert ended.value.code == 128 + signal.SIGTERM


def test_states_in_a_folder_are_written_by_another_thread_from_a_copy(
    pairset: PairSet, tmp_path: Path
) -> None:
    training, writers = config(**SETTINGS, state_every_s=1e-9), set()

    class Watched(FolderStore):
        def save(self, state: bytes | None, images_seen: int) -> None:
            writers.add(threading.current_thread())
            super().save(state, images_seen)

    memory = Memory()
    run(training, pairset, memory)
    Loop(training, data_of(pairset), CPU, Watched(tmp_path), Memory(), {}).run()
    kept = FolderStore(tmp_path).load()
    assert kept is not None
    for one, other in zip(weights_of(kept), weights_of(memory.states[-1]), strict=True):
        assert torch.equal(one, other)
    assert len(list(tmp_path.glob("state-*.pt"))) == 2
    assert writers
    assert threading.main_thread() not in writers


def test_a_state_that_cannot_be_written_is_told(pairset: PairSet, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    store = FolderStore(tmp_path / "a file" / "below")
    with pytest.raises(Exception, match="a file"):
        Loop(config(**SETTINGS), data_of(pairset), CPU, store, Memory(), {}).run()


def test_a_state_that_another_thread_could_not_write_is_told_before_the_next_one(
    pairset: PairSet, tmp_path: Path
) -> None:
    place = tmp_path / "states"
    loop = Loop(config(**SETTINGS), data_of(pairset), CPU, FolderStore(place), Memory(), {})
    loop.state.keep()
    loop.state.finish()
    loop.state.need_kept()
    shutil.rmtree(place)
    place.write_text("in the way")
    loop.state.keep()
    assert loop.state._writing is not None
    wait([loop.state._writing])
    with pytest.raises(Exception, match="states"):
        loop.state.need_kept()


def test_a_copy_of_a_state_stays_what_it_was() -> None:
    weights = torch.ones(3)
    state = {"step": {"weights": [weights, 2], "pool": None}, "at": (1.5, "name")}
    kept = copied(state)
    weights.fill_(7.0)
    assert kept["step"]["weights"][0].tolist() == [1, 1, 1]
    assert kept["at"] == (1.5, "name")
    assert read_state(write_state(kept))["step"]["weights"][1] == 2
