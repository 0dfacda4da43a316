"""Without credentials nothing answers: neither the services' own addresses nor what they open besides."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from processes import children_of

from infra.team.fence import is_possible
from infra.team.mlflow_server import MLflowServer
from infra.team.postgres import Postgres
from infra.team.prefect_server import PrefectServer
from infra.team.process import Service, get
from infra.team.ray_cluster import RayNode
from infra.team.s3 import SeaweedFS
from infra.team.stack import Stack

pytestmark = pytest.mark.services
REFUSED = (401, 403)
PATIENCE_S = 60  # of a loaded machine
WRONG = "team:guessed"


def post(address: str, content: dict[str, object], login: str | None = None) -> int:
    """The status that an address answers with to something sent there."""
    asked = urllib.request.Request(
        address, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    if login:
        import base64

        asked.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            asked, timeout=PATIENCE_S
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("login", [None, WRONG])
def test_mlflow_answers_nobody_without_its_login(mlflow_server: MLflowServer, login: str | None) -> None:
    for path in (
        "/",
        "/api/2.0/mlflow/experiments/get?experiment_id=0",
        "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0",
        "/api/2.0/mlflow-artifacts/artifacts",
        "/api/2.0/mlflow/registered-models/search",
        "/get-artifact?run_id=0&path=a",
        "/graphql",
    ):
        assert get(mlflow_server.address + path, login, seconds=PATIENCE_S) in REFUSED, path
    made = post(f"{mlflow_server.address}/api/2.0/mlflow/experiments/create", {"name": "theirs"}, login)
    assert made in REFUSED


@pytest.mark.parametrize("login", [None, WRONG])
def test_prefect_answers_nobody_without_its_login(prefect_server: PrefectServer, login: str | None) -> None:
    for path in ("/admin/version", "/admin/settings", "/work_pools/refocus", "/events/count-by/day/event"):
        assert get(prefect_server.address + path, login, seconds=PATIENCE_S) in REFUSED, path
    for path in ("/flow_runs/filter", "/deployments/filter", "/logs/filter", "/block_documents/filter"):
        assert post(prefect_server.address + path, {}, login) in REFUSED, path


@pytest.mark.parametrize("token", [None, "0" * 64])
def test_ray_takes_no_job_and_tells_nothing_without_its_token(
    ray_cluster: list[RayNode], token: str | None
) -> None:
    page = ray_cluster[0].address
    for path in (
        "/api/jobs/",
        "/api/v0/nodes",
        "/api/v0/actors",
        "/nodes?view=summary",
        "/api/cluster_status",
    ):
        assert get(page + path, token=token, seconds=PATIENCE_S) in REFUSED, path
    assert post(f"{page}/api/jobs/", {"entrypoint": "id"}) in REFUSED
    own = ray_cluster[0].client_variables()["RAY_AUTH_TOKEN"]
    assert get(f"{page}/api/jobs/", token=own, seconds=PATIENCE_S) == 200


def test_the_store_gives_and_takes_nothing_without_its_keys(s3: SeaweedFS) -> None:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    session = boto3.session.Session()
    session.client("s3").put_object(Bucket="refocus", Key="mine", Body=b"mine")
    nobody = session.client("s3", config=Config(signature_version=UNSIGNED))
    guessed = session.client("s3", aws_access_key_id="AKIAGUESSED", aws_secret_access_key="guessed")
    for client in (nobody, guessed):
        for call in (
            lambda one: one.get_object(Bucket="refocus", Key="mine"),
            lambda one: one.put_object(Bucket="refocus", Key="mine", Body=b"theirs"),
            lambda one: one.delete_object(Bucket="refocus", Key="mine"),
            lambda one: one.list_objects_v2(Bucket="refocus"),
            lambda one: one.create_bucket(Bucket="theirs"),
        ):
            with pytest.raises(ClientError) as refusal:
                call(client)
            assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in REFUSED
    assert session.client("s3").get_object(Bucket="refocus", Key="mine")["Body"].read() == b"mine"


def test_the_database_wants_its_password(postgres: Postgres) -> None:
    import psycopg

    address = postgres.address("mlflow")
    for other in (address.replace(postgres.address("").split("@")[0], "postgresql://team:guessed"),):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(other)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(address.replace(address.split("@")[0], "postgresql://team"))


def _networks(service: Service) -> set[str]:
    """The network namespaces that a service's processes are in."""
    process = psutil.Process(service.pid)
    found = set()
    for each in (process, *children_of(process)):
        try:
            found.add(Path(f"/proc/{each.pid}/ns/net").readlink().name)
        except FileNotFoundError:  # ended while being asked
            continue
    return found


@pytest.mark.skipif(not is_possible(), reason="no network namespace can be made here")
def test_ports_that_ask_for_no_key_are_in_a_network_of_their_own(
    stack: Stack, s3: SeaweedFS, ray_cluster: list[RayNode]
) -> None:
    ours = Path("/proc/self/ns/net").readlink().name
    for service in (s3, *ray_cluster):
        assert ours not in _networks(service), service.name
    assert _networks(s3).isdisjoint(_networks(ray_cluster[0]))

    # The filer really asks for no key: this is what the fence is for.
    filer = "http://127.0.0.1:8888/buckets/?limit=1"
    fetch = f"import urllib.request as u; print(u.urlopen({filer!r}).status)"
    assert stack.s3_fence is not None
    inside = subprocess.run(
        stack.s3_fence.enter([sys.executable, "-c", fetch]), capture_output=True, text=True, check=False
    )
    assert inside.stdout == "200\n", inside.stderr
    assert get(filer) == 0


def test_what_listens_on_this_machine_listens_on_loopback_only(
    stack: Stack, mlflow_server: MLflowServer, prefect_server: PrefectServer, s3: SeaweedFS
) -> None:
    family = {
        process.pid
        for service in stack.services()
        if service.pid is not None
        for process in (psutil.Process(service.pid), *children_of(psutil.Process(service.pid)))
    }
    open_to_all = [
        found.laddr
        for found in psutil.net_connections("tcp")
        if found.pid in family and found.status == psutil.CONN_LISTEN and found.laddr.ip != "127.0.0.1"
    ]
    assert open_to_all == []
