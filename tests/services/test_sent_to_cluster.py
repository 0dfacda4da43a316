"""What goes to a cluster: code as a file that is known by its content, credentials sealed, and what a
node must have.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_place import s3_variables

from components.core.errors import InputError, LineageError, ServiceError
from components.services.cluster import code, given, token, trouble

SECRETS = {"AWS_SECRET_ACCESS_KEY": "of-the-store", "MLFLOW_TRACKING_TOKEN": "of-mlflow"}
MACHINES_OWN = {
    "TORCH_HOME": "/cache/torch",
    "AWS_CA_BUNDLE": "/etc/ca.pem",
    "MLFLOW_TRACKING_URI": "sqlite:///a.db",
}


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """What a job gives to this process stays in its test; a token that Ray has put there does not count."""
    before = dict(os.environ)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "the-token-of-a-cluster")


def small_checkout(place: Path) -> Path:
    (place / "components" / "core").mkdir(parents=True)
    (place / "flows").mkdir()
    for name in ("components/__init__.py", "components/core/a.py", "flows/b.py", "dvc.yaml"):
        (place / name).write_text(f"# {name}\n")
    (place / "components" / "notes.txt").write_text("not code\n")
    return place


def test_the_same_code_is_the_same_bytes_wherever_and_whenever_it_is_packed(tmp_path: Path) -> None:
    one, two = small_checkout(tmp_path / "one"), tmp_path / "two"
    shutil.copytree(one, two)
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
    with code.packed(one) as first, code.packed(two) as second:
        assert first.read_bytes() == second.read_bytes()
        names = zipfile.ZipFile(first).namelist()
    assert names == ["components/__init__.py", "components/core/a.py", "dvc.yaml", "flows/b.py"]
    (two / "flows" / "b.py").write_text("# another\n")
    with code.packed(one) as first, code.packed(two) as second:
        assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"torch": "2.13.0"}, "node 10.0.0.7 has torch 2.13.0, this run has 2.14.1; install there"),
        ({"python": "3.12"}, "node 10.0.0.7 has python 3.12, this run has 3.11"),
        ({"numpy": "none"}, "node 10.0.0.7 has numpy none, this run has 2.4.6"),
        ({"code": "b" * 64}, "node 10.0.0.7 runs other code than this run .digest bbbbbbbbbbbb…, here aaaa"),
    ],
)
def test_a_node_that_differs_is_named_with_both_versions(theirs: dict[str, str], said: str) -> None:
    mine = {"python": "3.11", "torch": "2.14.1", "numpy": "2.4.6", "scipy": "none", "code": "a" * 64}
    code.refuse_others("10.0.0.7", mine, mine)
    code.refuse_others("10.0.0.7", mine | {"scipy": "1.17"}, mine)  # which the run's machine does without
    with pytest.raises(InputError, match=said):
        code.refuse_others("10.0.0.7", mine | theirs, mine)


def test_this_process_has_what_it_wants() -> None:
    assert code.wanted()["torch"] != "none"
    code.refuse_others("here", code.asker()(), code.wanted())


@pytest.mark.usefixtures("protected")
def test_what_is_sealed_is_read_with_the_same_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = token.sealed(SECRETS)
    assert not any(value in text for value in SECRETS.values())
    assert token.opened(text) == SECRETS
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-another-cluster")
    with pytest.raises(ServiceError, match="sealed with another token"):
        token.opened(text)
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(ServiceError, match="without a token"):
        token.opened(text)


def test_the_token_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of-a-file\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert token.token() is None
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert token.token() == "of-a-file"


@pytest.mark.usefixtures("protected")
def test_addresses_travel_in_the_clear_secrets_sealed_and_paths_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "http://ann:pass-word@store.example:8333"
    for name, value in (SECRETS | MACHINES_OWN | {"AWS_ENDPOINT_URL": address, "AWS_REGION": "eu"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "half")
    clear, rest = given.for_cluster("head.example:6379")
    assert clear["AWS_REGION"] == "eu"
    assert rest is not None
    assert token.opened(rest) == SECRETS | {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "half"}
    assert not (clear.keys() | token.opened(rest).keys()) & (MACHINES_OWN.keys() | {"REFOCUS_HOME"})


def test_a_cluster_without_a_token_gets_no_secret_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        clear, rest = given.for_cluster("open.example:6379")
        assert rest is None
        assert not SECRETS.keys() & clear.keys()
    assert capsys.readouterr().err.count("AWS_SECRET_ACCESS_KEY, MLFLOW_TRACKING_TOKEN stay here") == 1
    assert given.for_cluster("127.0.0.1:6379")[0].items() >= SECRETS.items(), "on loopback nobody listens"


def test_what_ends_a_training_is_a_sentence() -> None:
    from ray.exceptions import RayActorError
    from ray.train import ControllerError, WorkerGroupError

    store = OSError("When uploading: AWS Error NETWORK_CONNECTION during PutObject operation")
    told = trouble._told(ControllerError(store), "s3://states/training")
    assert isinstance(told, ServiceError)
    assert "s3://states/training, did not answer for minutes" in str(told)
    own = LineageError("a set was altered")
    assert trouble._told(WorkerGroupError("x", {0: store, 1: own}), "s3://states") is own
    died = trouble._told(WorkerGroupError("x", {0: RayActorError()}), "folder")
    assert isinstance(died, ServiceError)
    assert "more often than train.retries allows" in str(died)
    bug = WorkerGroupError("x", {0: ZeroDivisionError()})
    assert trouble._told(bug, "folder") is bug


@pytest.mark.services
def test_a_store_that_is_away_for_seconds_loses_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    from moto.server import ThreadedMotoServer

    from components.services import storage
    from components.services.cluster.patient_store import PatientS3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in s3_variables(f"http://{host}:{port}").items():
        monkeypatch.setenv(name, value)
    storage._client().create_bucket(Bucket="states-of-a-test")
    patient = pickle.loads(pickle.dumps(PatientS3()))  # as it comes to a worker
    server.stop()

    def back() -> None:
        time.sleep(4)
        again.start()

    again = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    thread = threading.Thread(target=back)
    thread.start()
    with patient.open_output_stream("states-of-a-test/state.pt") as stream:
        stream.write(b"a state")
    thread.join()
    assert storage.read_object("s3://states-of-a-test/state.pt") == b"a state"
    again.stop()
