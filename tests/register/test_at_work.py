"""Two that run one recipe with one registry, from wherever: one works, the other is told who does, and a
dead one holds nobody up.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.core.addresses import sqlite_address
from components.core.errors import BusyError
from components.registry import at_work, turns
from components.registry.actor import owner
from components.services import tracking
from components.services.tracking import ledger


@pytest.fixture(scope="module")
def _registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("registry")
    address = sqlite_address(folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:  # its files lie where it was made
        patch.setenv("MLFLOW_TRACKING_URI", address)
        patch.setenv("REFOCUS_HOME", str(folder))
        tracking.prepare()
        (folder / "mlartifacts").mkdir(exist_ok=True)
    return address


@pytest.fixture
def registry(_registry: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registry that several share, as seen from one of them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", _registry)
    return _registry


def rows(recipe: str) -> list[tuple[str, str]]:
    """State and words of each row of a recipe's runs."""
    client = tracking.store.client()
    found = ledger.rows(f"{recipe}{at_work.SUFFIX}")
    return [
        (row.tags[turns.STATE], client.get_model_version(row.name, str(row.number)).description)
        for row in found
    ]


def work(home: str, uri: str, recipe: str, begun: Any) -> None:
    os.environ.update(REFOCUS_HOME=home, MLFLOW_TRACKING_URI=uri)
    with at_work.alone(recipe, print):
        begun.set()
        time.sleep(300)


@pytest.fixture
def other(registry: str, tmp_path: Path) -> Iterator[Any]:
    """Starts a run from another state folder."""
    processes = multiprocessing.get_context("spawn")
    started = []

    def start(recipe: str) -> Any:
        begun = processes.Event()
        process = processes.Process(target=work, args=(str(tmp_path / "other"), registry, recipe, begun))
        process.start()
        started.append(process)
        assert begun.wait(120)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def test_the_second_is_told_who_works_and_after_a_kill_goes_on(
    other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "LEASE_S", 300.0)
    first = other("demo")
    said: list[str] = []
    busy = pytest.raises(BusyError, match=f"{owner()} has been running demo since .*; wait for it")
    with busy, at_work.alone("demo", said.append):
        raise AssertionError("two at once")
    assert f"{owner()} seems to be running demo" in said[0]
    with at_work.alone("another", said.append):
        pass
    first.kill()
    first.join()
    with at_work.alone("demo", said.append) as need_alone:
        need_alone()
    assert len(said) == 1
    assert [state for state, _ in rows("demo")] == ["dropped", "dropped", "dropped"]
    assert rows("demo")[2][1].startswith("a run of demo, from 20")


def test_a_machine_that_fell_silent_loses_its_place_and_hears_of_it(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "LEASE_S", 1.0)
    monkeypatch.setattr(turns, "_process", lambda: "far pid 7 0.00")
    monkeypatch.setattr(at_work, "BEAT_S", 300.0)
    with at_work.alone("asleep", print) as need_alone:
        need_alone()
        with at_work.alone("asleep", print):
            pass
        with pytest.raises(BusyError, match=r"the run of asleep, number 1 stood still for 1 s"):
            need_alone()


def test_a_machine_elsewhere_that_lives_keeps_its_place(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "BEAT_S", 0.3)
    monkeypatch.setattr(turns, "_process", lambda: "far pid 7 0.00")
    told: list[BusyError] = []

    def second() -> None:
        try:
            with at_work.alone("far", print):
                raise AssertionError("two at once")
        except BusyError as error:
            told.append(error)

    with at_work.alone("far", print) as need_alone:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(60)
        need_alone()
    assert len(told) == 1


def test_what_a_run_leaves_in_the_registry_is_no_model_of_anybody(registry: str) -> None:
    with at_work.alone("left", print):
        pass
    names = {row.name for row in tracking.registry.search("") if not row.name.endswith(ledger.SUFFIX)}
    assert names == set()


def test_a_registry_of_this_checkout_alone_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with at_work.alone("demo", print) as need_alone, at_work.alone("demo", print):
        need_alone()
    assert not tracking.is_used()
