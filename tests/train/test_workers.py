"""Real Ray workers: two train what one trains, and a training killed with -9 goes on to the same weights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from pairs import make_pairs
from safetensors.torch import load_file

from components.core.records import Checkpoint, PairSet

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def pairset(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return make_pairs(tmp_path_factory.mktemp("pairs"))


def start(pairset: PairSet, place: Path, workers: int, *more: str) -> subprocess.Popen[str]:
    # As many threads in one process as one Ray worker gets: the same sums in the same order.
    environment = {**os.environ, "REFOCUS_HOME": str(place / "home"), "OMP_NUM_THREADS": str(os.cpu_count()), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(Path(__file__).with_name("train_once.py")), str(pairset.folder), str(place / "out"), str(workers), *more]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


def weights(place: Path) -> dict[str, torch.Tensor]:
    return load_file(place / "out" / Checkpoint.WEIGHTS)


@pytest.fixture(scope="module")
def alone(pairset: PairSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training in one process, without Ray and without a break."""
    place = tmp_path_factory.mktemp("alone")
    finish(start(pairset, place, 0))
    return place


def kill_tree(process: subprocess.Popen[str]) -> None:
    """kill -9 for the process and everything it started."""
    for victim in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        victim.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def wait_for(place: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 180
    while not list((place / "home" / "training").glob(pattern)):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_with_9_and_run_again_gives_the_same_weights(pairset: PairSet, alone: Path, tmp_path: Path) -> None:
    process = start(pairset, tmp_path, 1)
    wait_for(tmp_path, "*/checkpoint_*/state.pt", process)
    kill_tree(process)
    assert not (tmp_path / "out" / Checkpoint.FILE).exists()
    finish(start(pairset, tmp_path, 1))
    whole, resumed = weights(alone), weights(tmp_path)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert Checkpoint.load(tmp_path / "out").verify().images_seen == 160


def test_a_training_that_runs_away_on_a_worker_is_told_with_its_remedy(pairset: PairSet, tmp_path: Path) -> None:
    said, _ = (process := start(pairset, tmp_path, 1, "0.001")).communicate(timeout=240)
    assert process.returncode == 1
    last = said.strip().splitlines()[-1]
    assert "DivergenceError: training small-" in last
    assert "/total was" in last
    assert "Lower the learning rate" in last
    assert not (tmp_path / "out").exists()


def test_two_workers_train_what_one_trains(pairset: PairSet, alone: Path, tmp_path: Path) -> None:
    finish(start(pairset, tmp_path, 2))
    one, two = weights(alone), weights(tmp_path)
    # 40 generator and 80 critic steps with the penalty: float32 sums in another order, no more.
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-5, rtol=1e-3)
    assert any(value.abs().max() > 1e-3 for value in one.values())


def test_running_again_after_the_end_takes_what_is_there(pairset: PairSet, alone: Path) -> None:
    before = (alone / "out" / Checkpoint.FILE).read_bytes()
    said = finish(start(pairset, alone, 0))
    assert "160/160" in said
    assert (alone / "out" / Checkpoint.FILE).read_bytes() == before
