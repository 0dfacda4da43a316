"""What `make gpu` does on a card, gone through without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_gpu import GPU, NAME, fake_gpu

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import gpu

from components import recipes


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "RESTORED", "mobile")


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a driver that is not there."""
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: 2 * 10**9)


@pytest.mark.usefixtures("no_memory")
def test_each_row_of_steps_and_the_restored_photo_run_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_timed", lambda step, images, card: {"loss": step(0), "gb": card.peak_gb()})
    base = recipes.load("mobile").train
    with fake_gpu():
        figures = gpu.Figures(tmp_path, 6, gpu.Card(GPU))
        for way, changes in {"as it stands": {}, "fp32": gpu._ways(base)["fp32"]}.items():
            gpu._steps(figures, "mobile", base.model_copy(update=changes), 1, way, {})
        figures.take("restored", 1, lambda: gpu._restored(figures.card))
    assert [row.get("error") for row in figures.rows] == [None] * 3
    assert [row.get("gb", row.get("peak_gb")) for row in figures.rows] == [2.0] * 3
    assert json.loads((tmp_path / "gpu.json").read_text())["card"] == NAME


def test_a_rehearsal_goes_the_whole_way_on_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("_tests", "_said"):  # processes of their own
        monkeypatch.setattr(gpu, name, lambda *_: {"said": "nothing"})
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--rehearse", "--out", str(tmp_path / "gpu")])
    assert gpu.main() == 0
    told = json.loads((tmp_path / "gpu" / "gpu.json").read_text())
    assert len(told["rows"]) == 8
    assert told["left_out"] == []
    assert "| mobile, 1280×720 restored | fp32_ms " in (tmp_path / "gpu" / "gpu.md").read_text()
    assert capsys.readouterr().out.count("ms_a_step") == 4


def test_without_a_gpu_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "gpu")])
    assert gpu.main() == 2
    assert "finds no GPU" in capsys.readouterr().err
    assert not (tmp_path / "gpu").exists()


def test_what_there_is_no_time_for_is_named_and_what_goes_wrong_is_a_row(tmp_path: Path) -> None:
    figures = gpu.Figures(tmp_path, 1, gpu.Card(torch.device("cpu")))
    figures.take("too long", 61, dict)
    figures.take("a row that breaks", 1, lambda: {}["is not there"])
    assert figures.left_out == ["too long"]
    assert figures.rows[0]["error"] == "KeyError: 'is not there'"


TESTS = """
import pytest

@pytest.mark.gpu
def test_that_passes(): pass

@pytest.mark.gpu
def test_that_fails(): assert False

@pytest.mark.gpu
def test_of_a_compiled_step(): pass
"""


@pytest.mark.parametrize("hangs", [False, True], ids=["all", "too long"])
def test_tests_that_were_not_reached_take_no_results_with_them(
    hangs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], *, timeout: float, **how: Any) -> subprocess.CompletedProcess[bytes]:
        done = real_run(command, **how)
        if hangs:
            raise subprocess.TimeoutExpired(command, timeout)
        return done

    real_run = subprocess.run
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_marked.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    found = gpu._tests(gpu.Figures(tmp_path, 1, gpu.Card(torch.device("cpu"))), "not compiled")
    assert found["status"] == ("ran out of time" if hangs else 1)
    assert found["failed"] == ["tests/test_marked.py::test_that_fails"]
    assert found["passed"] == 1
    assert "test_that_passes PASSED" in (tmp_path / "tests-not-compiled.txt").read_text()
