"""The team's services, really running on this machine: those that `make team` starts, by its code.

A test takes the fixtures of what it needs; each sets the variables that a person would, for that test. What
was started once serves all tests of the process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.team.fence import is_possible
from infra.team.mlflow_server import MLflowServer
from infra.team.postgres import Postgres
from infra.team.prefect_server import PrefectServer
from infra.team.process import Service
from infra.team.ray_cluster import RayNode
from infra.team.s3 import SeaweedFS
from infra.team.stack import Stack, free_ports

Running = Callable[..., None]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All services, none started yet; those that were are ended with the tests. The nodes of the cluster
    see neither the tests' folders nor each other's. PostgreSQL's user must be able to enter the folder,
    and Ray's sockets want a short one.
    """
    folder = Path(tempfile.mkdtemp(prefix="tm-", dir="/tmp"))
    folder.chmod(0o755)
    hidden = [tmp_path_factory.getbasetemp()] if is_possible() else []
    # Ray counts the memory of the whole machine, on which other tests run, too.
    unwatched = {"RAY_memory_monitor_refresh_ms": "0"}
    made = Stack(folder, free_ports(), hidden=hidden, nodes_variables=unwatched)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Running:
    """Start services and what they need; set variables for this test."""

    def bring(variables: dict[str, str], *services: Service) -> None:
        for _ in stack.start(*services):
            pass
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return bring


@pytest.fixture
def postgres(stack: Stack, running: Running) -> Postgres:
    """PostgreSQL, with the databases of the team."""
    running({}, stack.postgres)
    return stack.postgres


@pytest.fixture
def s3(stack: Stack, running: Running) -> SeaweedFS:
    """A real S3 store with the team's buckets (photos, dvc, mlflow, refocus), and the AWS_ variables."""
    running(stack.s3.client_variables(), stack.s3)
    return stack.s3


@pytest.fixture
def mlflow_server(stack: Stack, running: Running) -> MLflowServer:
    """An MLflow server with logins, and its variables; clients need no keys of the store."""
    running(stack.mlflow.client_variables(), stack.mlflow)
    return stack.mlflow


@pytest.fixture
def prefect_server(stack: Stack, running: Running) -> PrefectServer:
    """A Prefect server on PostgreSQL with a login, and its variables."""
    running(stack.prefect.client_variables(), stack.prefect)
    return stack.prefect


@pytest.fixture
def ray_cluster(stack: Stack, running: Running) -> list[RayNode]:
    """Two nodes that share no folder, and the variables of a driver outside."""
    running(stack.nodes[0].client_variables(), *stack.nodes)
    return stack.nodes


@pytest.fixture
def team(stack: Stack, running: Running) -> Stack:
    """Everything but the worker, which would take the tests' runs into this checkout (night.py starts one in
    a clone), and all variables.
    """
    running(stack.client_variables(), stack.mlflow, stack.prefect, *stack.nodes)
    return stack


@pytest.fixture
def team_without_prefect(stack: Stack, running: Running) -> Stack:
    """The store, MLflow and the cluster, and the variables of a driver outside."""
    away = ("PREFECT_",)
    variables = {name: value for name, value in stack.client_variables().items() if not name.startswith(away)}
    running(variables, stack.s3, stack.mlflow, *stack.nodes)
    return stack
