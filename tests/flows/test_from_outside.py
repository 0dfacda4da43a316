"""A run whose driver stands outside of the cluster: without torch, with nothing shared but the services.

The nodes have state folders of their own, and nothing of the clone: what they work on came by the
store, and the code as a package.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import children_of, ends, wait_for
from safetensors.numpy import load_file
from tiny_clone import TINY, Clone, clone_into
from two_nodes import TOKEN, TwoNodes, free_port, two_nodes

pytestmark = pytest.mark.services
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "a-secret-key-to-look-for",
    "MLFLOW_TRACKING_PASSWORD": "another-to-look-for",
}
ON_PROCESSORS = TINY.replace("  workers: 0", "  workers: 0\n  gpu: never")
LONG = ON_PROCESSORS.replace("name: tiny", "name: long", 1).replace("images: 480", "images: 480000")


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with two_nodes() as running:
        yield running


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server."""
    place, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(place / "artifacts")]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    assert wait_for(lambda: answers(port), 240), (place / "log").read_text()
    yield f"http://127.0.0.1:{port}"
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def answers(port: int) -> bool:
    """Whether an MLflow server answers a question there, and soon."""
    try:
        asked = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=1"
        with urllib.request.urlopen(asked, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def outside(cluster: TwoNodes, tracking: str, bucket: str, tmp_path: Path) -> Clone:
    """A clone on a machine that has no torch, with the addresses of everything."""
    clone = clone_into(tmp_path / "clone")
    (clone.root / "components" / "recipes" / "tiny.yaml").write_text(ON_PROCESSORS)
    (clone.root / "components" / "recipes" / "long.yaml").write_text(LONG)
    graph = (clone.root / "dvc.yaml").read_text()
    (clone.root / "dvc.yaml").write_text(graph.replace("recipes: [tiny,", "recipes: [tiny, long,"))
    for name in ("torch", "torchvision"):
        (tmp_path / "without" / name).mkdir(parents=True)
        (tmp_path / "without" / name / "__init__.py").write_text("raise ImportError('not on this machine')\n")
    clone.environment.update(
        {name: value for name, value in os.environ.items() if name.startswith("AWS_")} | SECRETS
    )
    clone.environment.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=TOKEN,
        RAY_ADDRESS=cluster.page,
        REFOCUS_STORE=f"{bucket}/store",
        MLFLOW_TRACKING_URI=tracking,
        MLFLOW_TRACKING_USERNAME="ann",
        PYTHONPATH=f"{clone.root}{os.pathsep}{tmp_path / 'without'}",
    )
    return clone


def kill_tree(process: subprocess.Popen[str]) -> None:
    tree = [*children_of(psutil.Process(process.pid)), psutil.Process(process.pid)]
    for each in tree:
        each.kill()
    process.wait()
    assert ends(tree)
    assert process.stdout is not None
    process.stdout.close()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """What a command says, up to the line that holds a word."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"{word!r} was not said:\n{said}")


def jobs(cluster: TwoNodes) -> dict[str, str]:
    """Every job's status, by its id."""
    return {each["submission_id"]: each["status"] for each in json.loads(cluster.get("/api/jobs/"))}


def at_work(cluster: TwoNodes) -> list[str]:
    """The actors that live, but for Ray's own: one for all trainings to come, and one that tidies up after
    this one.
    """
    told = json.loads(cluster.get("/api/v0/actors?detail=true"))["data"]["result"]["result"]
    living = [actor["class_name"] for actor in told if actor["state"] == "ALIVE"]
    own = ("AutoscalingCoordinator", "PlacementGroupCleaner")
    return [name for name in living if not any(each in name for each in own)]


def seen_of(words: dict[str, str], cluster: TwoNodes) -> list[str]:
    """Where a secret can be seen: the nodes' files, the page's answers, command lines."""
    pages = ["/api/jobs/"]
    pages += [
        f"/api/v0/{name}?detail=true" for name in ("jobs", "actors", "workers", "tasks", "runtime_envs")
    ]
    found = [page for page in pages if any(word in cluster.get(page) for word in words.values())]
    for process in psutil.process_iter():
        try:
            if any(word in " ".join(process.cmdline()) for word in words.values()):
                found.append(process.name())
        except psutil.Error:
            continue
    return found + cluster.files_with(words)


def test_a_run_from_outside_promotes_and_outlives_its_sender(outside: Clone, cluster: TwoNodes) -> None:
    killed = outside.start("run", "tiny", "--no-prefect")
    read_until(killed, "as job refocus-train-tiny-")
    kill_tree(killed)
    said = outside.refocus("run", "tiny", "--no-prefect")
    words = said.stdout + said.stderr
    assert "is at work on the cluster; joined" in words or "train@tiny" not in words
    assert "registered     tiny version 1" in words
    assert "train      [########################] 100% 496/496 images" in words, "its words come along"
    trained = [name for name in jobs(cluster) if name.startswith("refocus-train-tiny-")]
    assert len(trained) == 1, "the job was not sent twice"
    assert set(jobs(cluster).values()) == {"SUCCEEDED"}
    there = load_file(outside.root / "data" / "tiny" / "checkpoint" / "generator.safetensors")
    # The same on one machine, in one process, on the same pairs.
    for name in ("RAY_ADDRESS", "REFOCUS_STORE", "MLFLOW_TRACKING_URI"):
        del outside.environment[name]
    outside.environment["PYTHONPATH"] = str(outside.root)
    outside.refocus("train", "tiny")
    here = load_file(outside.root / "data" / "tiny" / "checkpoint" / "generator.safetensors")
    assert here.keys() == there.keys()
    assert all((here[name] == there[name]).all() for name in here)
    assert seen_of(SECRETS, cluster) == []


def test_doctor_asks_each_node_through_a_job_and_leaves_no_trace(outside: Clone, cluster: TwoNodes) -> None:
    said = outside.refocus("doctor", check=None).stdout
    lines = said.splitlines()
    second, first = sorted(
        (number for number, line in enumerate(lines) if "  node " in line and " ray " in line),
        key=lambda number: "node 127.0.0.2 " not in lines[number],
    )
    assert "no GPU" in lines[first], said
    assert "0 of 1 GPUs usable" in lines[second], said
    assert "torch can use 0 of its GPUs there" in lines[second + 1], said
    assert "install the same there" not in said, "the sender has no torch, and needs none"
    outside.environment["REFOCUS_STORE"] = "s3://no-such-bucket-at-all/store"
    said = outside.refocus("doctor", check=None).stdout
    assert said.count('no bucket "no-such-bucket-at-all"') >= 3, "seen from here and from each node"
    # Ray tells that a job has stopped in its own time; until then it cannot be taken off the list.
    over = {"STOPPED", "FAILED", "SUCCEEDED"}
    looks = "refocus-look-"
    assert wait_for(
        lambda: {told for name, told in jobs(cluster).items() if name.startswith(looks)} <= over, 60
    )


LOOK_IN_VAIN = """
from components.core.errors import ServiceError
from components.services.cluster import look
look.JOB_S = 0.5
try:
    look.look_from_outside(None)
except ServiceError as error:
    print(error)
"""


def test_a_look_at_a_cluster_that_has_no_room_ends_and_says_what_its_page_tells(
    outside: Clone, cluster: TwoNodes
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK_IN_VAIN],
        cwd=outside.root,
        env=outside.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "127.0.0.2 (1 GPUs, 2 processors)" in done.stdout
    assert "a job that only looks has not ended within 0.5 s" in done.stdout
    # Ray tells that a job has stopped in its own time; until then it cannot be taken off the list.
    over = {"STOPPED", "FAILED", "SUCCEEDED"}
    looks = "refocus-look-"
    assert wait_for(
        lambda: {told for name, told in jobs(cluster).items() if name.startswith(looks)} <= over, 60
    )


def test_a_signal_to_the_sender_ends_the_job(outside: Clone, cluster: TwoNodes) -> None:
    for stage in ("ingest", "synthesize"):
        outside.refocus(stage, "long")
    sender = outside.start("train", "long")
    read_until(sender, "train      [")
    sender.send_signal(signal.SIGTERM)
    said, _ = sender.communicate(timeout=60)
    assert sender.returncode == 143, said
    (job,) = (name for name in jobs(cluster) if name.startswith("refocus-train-long-"))
    assert wait_for(lambda: jobs(cluster)[job] == "STOPPED", 30)
    assert wait_for(lambda: not at_work(cluster), 60), at_work(cluster)
