from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from processes import wait_for

from components.core.errors import InputError, LineageError, ServiceError
from components.services import tracking
from components.services.tracking import answers, store
from components.services.tracking.training import flatten

DATASET = ("pairs", "cd" * 32, "data/demo/pairs")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh state folder, and no address in the environment."""
    monkeypatch.setenv("REFOCUS_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def shared(_shared_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder whose store is made by the first test that asks; each test uses a training key
    of its own.
    """
    monkeypatch.setenv("REFOCUS_HOME", str(_shared_folder))
    return _shared_folder


def test_importing_the_door_does_not_import_mlflow() -> None:
    code = (
        "import sys, components.services.tracking; sys.exit('mlflow' in sys.modules or 'torch' in"
        " sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_an_address_the_store_lies_in_the_state_folder(home: Path) -> None:
    assert tracking.tracking_uri() == f"sqlite:///{home}/mlflow.db"


def test_using_the_store_leaves_the_environment_as_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(store.URI_VARIABLE, raising=False)
    monkeypatch.setenv(store.REGISTRY_VARIABLE, "https://elsewhere.example")
    assert tracking.registry.newest_versions("demo") == ()
    assert store.client().search_experiments()
    assert (store.is_shared(), os.environ[store.REGISTRY_VARIABLE]) == (False, "https://elsewhere.example")


def test_a_password_in_the_address_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@mlflow.example:5000")
    assert store.shown_uri() == "https://mlflow.example:5000"


@pytest.mark.parametrize("address", ["./mlruns", "file:///tmp/mlruns", "ftp://host", "databricks"])
def test_an_address_that_mlflow_cannot_use_is_refused_with_what_can_be(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(InputError, match="it must be http"):
        tracking.prepare()


def test_an_address_where_nobody_listens_is_told_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    waits: list[float] = []  # MLflow itself would try again for minutes
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(
        ServiceError, match=r"does not answer .* start the server, correct MLFLOW_TRACKING_URI, or unset it"
    ):
        tracking.prepare()
    assert waits == []


def test_a_database_where_nobody_listens_is_told_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://ann:secret@127.0.0.1:{closed_port}/mlflow")
    with pytest.raises(ServiceError, match="does not answer") as caught:
        tracking.prepare()
    assert "secret" not in str(caught.value)


@pytest.mark.services
def test_a_listener_that_never_answers_is_told_soon(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ServiceError, match="gave no answer"):
            tracking.prepare()


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that answers everything with one status, after so many seconds."""
    status, seconds = request.param

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        def log_message(self, *words: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.services
@pytest.mark.parametrize(
    ("refusing", "remedy"),
    [
        ((401, 0), "MLFLOW_TRACKING_USERNAME"),
        ((403, 0), "MLFLOW_SERVER_ALLOWED_HOSTS"),
        ((404, 0), "no MLflow server"),
        ((500, 0), "server's log"),
    ],
    indirect=["refusing"],
)
def test_a_server_that_refuses_is_answered_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch, refusing: str, remedy: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing)
    with pytest.raises(ServiceError, match=remedy):
        tracking.prepare()


@pytest.mark.services
def test_a_server_that_is_busy_at_first_is_waited_for_with_a_word(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = [503, 502, 200]

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *words: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        answers.need_server(f"http://127.0.0.1:{server.server_port}", 60.0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert statuses == []
    assert capsys.readouterr().err.count("is slow to answer; waiting for it, 60 s at most") == 1


@pytest.mark.services
@pytest.mark.parametrize("refusing", [(401, 1.5)], indirect=True)
def test_the_import_of_mlflow_takes_nothing_from_the_servers_time(
    home: Path, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    now, usual = [0.0], store.mlflow

    def slow() -> object:
        now[0] += store.PATIENCE_S
        return usual()

    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(store, "PATIENCE_S", 60.0)
    monkeypatch.setattr(store, "mlflow", slow)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing)
    with pytest.raises(ServiceError, match="answered 401"):
        tracking.prepare()


def test_nested_settings_become_dotted_names() -> None:
    settings = {
        "train": {"lr": 0.1, "phases": [{"images": 8}, {"images": 9}], "betas": [0.5, 0.9], "ema": None},
        "empty": {},
    }
    assert dict(flatten(settings)) == {
        "train.lr": "0.1",
        "train.phases.0.images": "8",
        "train.phases.1.images": "9",
        "train.betas": "[0.5, 0.9]",
        "train.ema": "None",
        "empty": "{}",
    }


def test_no_settings_are_no_parameters() -> None:
    assert dict(flatten({})) == {}


def open_run(key: str) -> tracking.TrainingRun:
    """A training of the recipe demo."""
    return tracking.open_training(
        key, recipe="demo", params={"train": {"lr": 0.1}}, tags={"git.commit": "abc"}, dataset=DATASET
    )


@pytest.mark.services
def test_a_training_that_goes_on_keeps_its_run(shared: Path) -> None:
    first = open_run("a1" * 32)
    first.log_metrics({"loss": 2.0}, 8)
    first.__exit__(KeyboardInterrupt, None, None)
    assert store.client().get_run(first.run_id).info.status == "KILLED"
    with open_run("a1" * 32) as second:
        second.log_metrics({"loss": 1.0}, 16)
    found = store.client().get_run(first.run_id)
    assert second.run_id == first.run_id == tracking.find_training("a1" * 32)
    assert [
        (metric.step, metric.value) for metric in store.client().get_metric_history(first.run_id, "loss")
    ] == [(8, 2.0), (16, 1.0)]
    assert (found.info.status, found.data.params, found.data.tags["git.commit"]) == (
        "FINISHED",
        {"train.lr": "0.1"},
        "abc",
    )
    assert len(found.inputs.dataset_inputs) == 1
    dataset = found.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest, json.loads(dataset.source)["digest"]) == (
        "pairs",
        "cd" * 18,
        "cd" * 32,
    )


@pytest.mark.services
def test_pictures_and_files_are_kept_below_the_state_folder(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with open_run("b2" * 32) as run:
        run.log_picture("validation", np.zeros((8, 8, 3), np.uint8), 8)
        run.log_file(tmp_path / "notes.txt")
    names = [path.name for path in (shared / "mlartifacts").rglob("*") if path.is_file()]
    assert "notes.txt" in names
    assert [name for name in names if name.startswith("validation") and name.endswith(".png")]


@pytest.mark.services
def test_the_machines_load_is_logged(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    with open_run("c3" * 32) as run:
        assert wait_for(
            lambda: "system/cpu_utilization_percentage" in store.client().get_run(run.run_id).data.metrics,
            300,
        )


@pytest.mark.services
def test_a_store_that_goes_away_does_not_stop_the_training(
    shared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = open_run("d4" * 32)
    database = shared / "mlflow.db"
    database.rename(shared / "away.db")
    database.mkdir()
    _forget(run)
    run.log_metrics({"loss": 1.0}, 8)
    run.log_metrics({"loss": 0.5}, 16)
    assert capfd.readouterr().err.count("Training goes on") == 1
    database.rmdir()
    (shared / "away.db").rename(database)
    _forget(run)
    run.close()
    assert [metric.step for metric in store.client().get_metric_history(run.run_id, "loss")] == [8, 16]


def _forget(run: tracking.TrainingRun) -> None:
    """Drop the open connections, as a restarted server does."""
    run._client._tracking_client.store.engine.dispose()


@pytest.mark.services
def test_what_the_registry_does_not_have_is_none_or_a_plain_error(shared: Path) -> None:
    assert tracking.at_alias("nobody", "champion") is None
    assert tracking.newest_versions("nobody") == ()
    assert tracking.find_version("nobody", "refocus.checkpoint", "x") is None
    assert tracking.model_tags("nobody") == {}
    assert tracking.has_run("0" * 32) is False
    with pytest.raises(LineageError, match="has no nobody version 3"):
        tracking.get_version("nobody", 3)


@pytest.mark.services
def test_a_database_whose_files_were_moved_away_says_so(home: Path) -> None:
    tracking.prepare()
    store.experiment.cache_clear()
    moved = home.parent / f"{home.name}-moved"
    home.rename(moved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFOCUS_HOME", str(moved))
        with pytest.raises(InputError, match="which is gone: the project was moved"):
            tracking.prepare()
    moved.rename(home)


_FIRST_USE = """
from components.services import tracking
data = ("pairs", "d" * 64, "here")
with tracking.open_training("ab" * 32, recipe="demo", params={}, tags={}, dataset=data) as run:
    run.log_metrics({"loss": 1.0}, 1)
print(run.run_id)
"""


@pytest.mark.services
def test_three_processes_that_meet_a_fresh_store_at_once_share_one_run(home: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _FIRST_USE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    ended = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], [err for _, err in ended]
    assert len({out.strip() for out, _ in ended}) == 1


@pytest.mark.services
def test_a_copied_database_says_whose_files_it_would_write_to(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.prepare()
    copy = home.parent / f"{home.name}-copy"
    shutil.copytree(home, copy)
    monkeypatch.setenv("REFOCUS_HOME", str(copy))
    with pytest.raises(InputError, match=f"is a copy: its files are those of the project at {home}"):
        tracking.prepare()
