"""A protected cluster of two nodes that is joined: its nodes run the run's code, have room or not, and
may be lost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import wait_for
from two_nodes import TOKEN, TwoNodes, two_nodes
from untrained_checkpoints import checkpoint_of

from components.core.errors import ServiceError
from components.core.files import sha256_of_bytes
from components.core.images import png_bytes
from components.core.records import Pair, PairSet
from components.nets.generators import UNet
from components.services.cluster.address import need_cluster

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "a-secret-key-to-look-for",
    "MLFLOW_TRACKING_PASSWORD": "another-to-look-for",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with two_nodes() as running:
        yield running


def start(cluster: TwoNodes, *words: str) -> subprocess.Popen[str]:
    """A driver, in a process of its own."""
    variables = {**os.environ, **SECRETS, **cluster.variables, "PYTHONPATH": str(ROOT)}
    variables |= {"TORCH_HOME": "/nowhere/else", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("asked_of_cluster.py")), *words],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(cluster: TwoNodes, *words: str) -> Any:
    said, complaints = start(cluster, *words).communicate()
    assert said, complaints
    return json.loads(said.splitlines()[-1])


def test_workers_run_the_runs_own_code_and_get_its_secrets_sealed(cluster: TwoNodes) -> None:
    for seen in answer(cluster, "who"):
        assert not Path(seen["code"]).is_relative_to(ROOT), "the code came as a package"
        assert Path(seen["code"]).is_relative_to(cluster.place)
        assert {name: seen[name] for name in SECRETS} == SECRETS
        assert seen["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:9"
    assert cluster.files_with(SECRETS) == []
    environments = cluster.get("/api/v0/runtime_envs?detail=true")
    assert str(ROOT) not in environments
    pages = ["/api/jobs/", "/api/v0/jobs?detail=true", "/api/v0/workers?detail=true"]
    shown = "".join([environments, *map(cluster.get, pages)])
    assert not any(secret in shown for secret in SECRETS.values())


def test_room_is_asked_of_the_cluster_and_refused_at_once(cluster: TwoNodes) -> None:
    told = answer(cluster, "rooms")
    wanted = "gpu is {} and train.workers 2, which wants 2 GPUs, one a worker; the Ray cluster has 1. Set"
    assert wanted.format("require") in told["a GPU each for two"]
    assert wanted.format("auto") in told["auto for two"]
    assert "train.workers to 1" in told["auto for two"]
    assert told["auto for one"] == told["one to three"] == "1 CPU and a GPU"
    assert told["never"] == "1 CPU"
    assert told["two processors for two"] == "2 CPU"
    for name in ("five processors", "two processors for three"):
        assert "find no room on the Ray cluster (127.0.0.2" in told[name]


def one_pair(folder: Path) -> PairSet:
    """A set with a test pair alone."""
    target = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    pictures = {"input": png_bytes(np.roll(target, 1, 1)), "target": png_bytes(target)}
    folder.mkdir()
    for name, data in pictures.items():
        (folder / f"{name}.png").write_bytes(data)
    row = {f"{name}_sha256": sha256_of_bytes(data) for name, data in pictures.items()}
    row |= {"id": "one", "photo": "one", "split": "test", "width": 64, "height": 64, "blur_kind": "shift"}
    row |= {name: f"{name}.png" for name in pictures}
    pair = Pair.model_validate(row | {"drawn": {}, "severity": 0.5, "severity_class": "mild", "seed": 1})
    table = PairSet.write_table(folder, (pair,))
    counts = {"train": 0, "val": 0, "test": 1}
    known = {"photoset": "0" * 64, "config_digest": "0" * 64, "counts": counts, "table_sha256": table}
    return PairSet.model_validate(known).save(folder)


def test_a_driver_without_a_gpu_has_a_node_with_one_evaluate(cluster: TwoNodes, tmp_path: Path) -> None:
    pairset = one_pair(tmp_path / "pairs")
    checkpoint_of(UNet(width=4, depth=1), pairset, tmp_path / "checkpoint")
    found = answer(cluster, "evaluated", *(str(tmp_path / name) for name in ("pairs", "checkpoint", "out")))
    assert [found[gpu]["threads"] for gpu in ("auto", "never")] == [1, 3], "on the node, and here"
    assert found["auto"]["restored"] == pytest.approx(found["never"]["restored"])
    assert found["auto"]["files"] == found["never"]["files"]
    assert found["weights"]["restored"] == pytest.approx(found["never"]["restored"]), "a champion's, likewise"
    assert found["weights"]["place"].endswith("IEEE float32")
    assert {"report.json", "report.html", "sheets/best.png"} <= {*found["auto"]["files"]}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "wants a token, and none is set here; set RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_TOKEN": TOKEN}, r"none is set here \(RAY_AUTH_TOKEN is set, but counts only with"),
        (
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-another-cluster"},
            "refuses the token that is set here",
        ),
    ],
)
@pytest.mark.parametrize("way", ["head", "page"])
def test_a_token_that_is_missing_or_wrong_is_told(
    cluster: TwoNodes, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str, way: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ServiceError, match=said) as caught:
        need_cluster(cluster.page if way == "page" else f"127.0.0.1:{cluster.head_port}")
    assert "of-another-cluster" not in str(caught.value)


def test_a_node_with_another_library_is_refused_by_name(cluster: TwoNodes, tmp_path: Path) -> None:
    # A node on whose path another numpy's description, and another refocus, come first.
    (tmp_path / "numpy-9.9.9.dist-info").mkdir()
    (tmp_path / "numpy-9.9.9.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 9.9.9\n")
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "__init__.py").write_text("raise RuntimeError('another refocus')\n")
    cluster.begin("c", "--node-ip-address=127.0.0.3", PYTHONPATH=str(tmp_path))
    try:
        said, complaints = start(cluster, "who").communicate()
    finally:
        cluster.end("c")
    assert not said
    assert "InputError: node 127.0.0.3 (" in complaints
    assert "has numpy 9.9.9, this run has " in complaints


def kept_number(place: Path) -> int:
    """The greatest number that `counted` has kept; Ray takes old ones away meanwhile."""
    numbers = [0]
    for path in place.glob("*/checkpoint_*/state.pt"):
        with suppress(FileNotFoundError):
            numbers.append(int(path.read_bytes() or b"0"))
    return max(numbers)


def test_a_training_has_the_room_that_a_killed_driver_held_and_outlives_a_node(
    cluster: TwoNodes, tmp_path: Path
) -> None:
    assert wait_for(lambda: cluster.alive() == 2, 180)
    (tmp_path / "killed").mkdir()
    killed = start(cluster, "until_asked", str(tmp_path / "killed"), "deaf")
    assert wait_for((tmp_path / "killed" / "counts").exists, 240), killed.communicate()
    killed.kill()
    killed.communicate()
    driver = start(cluster, "counted", str(tmp_path))
    # A state counts once Ray has looked at the workers, who may be two states further by then.
    assert wait_for(lambda: kept_number(tmp_path) >= 5, 240), driver.communicate()
    cluster.end("b")
    said, complaints = driver.communicate()
    assert said, complaints
    assert (tmp_path / "begun-2").exists(), complaints
    workers, first = json.loads(said.splitlines()[-1])
    assert workers == 1
    assert 0 < first < 30, complaints
    assert "node 127.0.0.2 (" in complaints
    assert "has gone; its workers go on elsewhere, from the last state" in complaints


@pytest.mark.parametrize(("hears", "signals"), [("well", 1), ("deaf", 2)])
def test_a_signal_to_the_driver_lets_a_worker_keep_its_state_and_a_second_one_does_not_wait(
    cluster: TwoNodes, tmp_path: Path, hears: str, signals: int
) -> None:
    driver = start(cluster, "until_asked", str(tmp_path), hears)
    assert wait_for((tmp_path / "counts").exists, 240), driver.communicate()
    for _ in range(signals):
        driver.terminate()
        time.sleep(0.5)
    _, complaints = driver.communicate(timeout=240)  # its patience is an hour
    assert driver.returncode == 128 + signal.SIGTERM, complaints
    kept = [path.read_bytes() for path in tmp_path.glob("*/checkpoint_*/state.pt")]
    assert [number.isdigit() for number in kept] == [True] * (signals == 1)
