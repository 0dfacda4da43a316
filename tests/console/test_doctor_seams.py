"""`refocus doctor` asks every seam of a team: logins, versions, clocks, buckets, remotes, nodes; each by the
question that the commands ask, against servers that answer as broken ones do.
"""

from __future__ import annotations

import base64
import email.utils
import importlib.metadata
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.console.doctor import machines, remotes, services
from components.console.doctor.findings import Check, looked_at
from components.pipeline.project import Project
from components.services.cluster import look

Answer = tuple[int, Mapping[str, str], str]
Rule = Callable[[str, Mapping[str, str]], Answer]
LOGIN = base64.b64encode(b"ann:a-password-of-hers").decode()
S3_ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>no</Message></Error>'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "refocus"
    (root / "components" / "recipes").mkdir(parents=True)
    (root / "dvc.yaml").write_text("vars:\n  - recipes: []\nstages: {}\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    (root / ".refocus").mkdir()
    monkeypatch.setenv("REFOCUS_HOME", str(root / ".refocus"))
    monkeypatch.chdir(root)
    return Project(root, root / ".refocus")


@pytest.fixture
def served() -> Iterator[Callable[[Rule], str]]:
    """Start a server that answers by a rule of path and headers; gives its address."""
    servers = []

    def serve(rule: Rule) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = rule(self.path, self.headers)
                self.send_response_only(status)
                for name, value in {"Date": self.date_time_string(), **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *words: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def found(check: Check, project: Project, *, all_of_them: bool = False) -> str:
    """What needs doing, in one line."""
    return " ".join(
        f"{each.what}: {each.found} -> {each.remedy}"
        for each in looked_at(check, project)
        if each.remedy or all_of_them
    )


def always(status: int, body: str = "", **headers: str) -> Rule:
    return lambda path, given: (status, headers, body)


def prefect(version: str) -> Rule:
    """A server that tells its health to everybody, and all else to one login."""

    def rule(path: str, given: Mapping[str, str]) -> Answer:
        if path.endswith("/health"):
            return 200, {}, "true"
        if given.get("Authorization") != f"Basic {LOGIN}":
            return 401, {}, "Unauthorized"
        return 200, {}, f'"{version}"'

    return rule


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (None, r"wants a login \(401\), and none is set here; set PREFECT_API_AUTH_STRING"),
        ("ann:another-password", r"refuses the login .* \(401\); correct PREFECT_API_AUTH_STRING"),
        ("ann:a-password-of-hers", None),
    ],
)
def test_a_prefect_server_is_asked_with_the_login(
    login: str | None,
    said: str | None,
    project: Project,
    served: Callable[[Rule], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{served(prefect('3.8.8'))}/api")
    if login:
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", login)
    words = found(services.prefect, project)
    assert words == "" if said is None else re.search(said, words), words
    assert "password" not in words


@pytest.mark.parametrize(("at_server", "differs"), [("same", False), ("3.0.2", True), ("4.1.0", True)])
def test_versions_at_both_ends_are_compared(
    at_server: str,
    differs: bool,
    project: Project,
    served: Callable[[Rule], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "ann:a-password-of-hers")
    for name, tool, address in (
        ("PREFECT_API_URL", "prefect", "{}/api"),
        ("MLFLOW_TRACKING_URI", "mlflow", "{}"),
    ):
        version = importlib.metadata.version(tool) if at_server == "same" else at_server
        rule = prefect(version) if tool == "prefect" else always(200, version)
        monkeypatch.setenv(name, address.format(served(rule)))
    words = found(remotes.server_versions, project)
    for tool in ("MLflow", "Prefect"):
        assert (f"{tool} versions: " in words) == differs, words


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (always(401, "not authenticated"), "answered 401 .*set MLFLOW_TRACKING_USERNAME"),
        (always(403, "Invalid Host header"), "answered 403 .*MLFLOW_SERVER_ALLOWED_HOSTS"),
        (always(404), "answered 404 .*no MLflow server"),
    ],
)
def test_an_mlflow_server_that_refuses_us_is_named(
    rule: Rule, said: str, project: Project, served: Callable[[Rule], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served(rule))
    words = found(services.mlflow, project)
    assert re.search(said, words), words


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("SignatureDoesNotMatch", "refuses access .*SignatureDoesNotMatch.*check the credentials"),
        ("InvalidAccessKeyId", "refuses access .*check the credentials"),
        ("ExpiredToken", "refuses access .*check the credentials"),
        ("RequestTimeTooSkewed", "clock.*timedatectl"),
        ("AccessDenied", None),  # who may not list all buckets may well read his own
    ],
)
def test_a_store_that_does_not_know_us_is_named(
    code: str,
    said: str | None,
    project: Project,
    served: Callable[[Rule], str],
    monkeypatch: pytest.MonkeyPatch,
    s3_endpoint: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", served(always(403, S3_ERROR.format(code))))
    words = found(services.s3, project)
    assert words == "" if said is None else re.search(said, words), words


@pytest.mark.parametrize(
    ("name", "what"),
    [("REFOCUS_STORE", "team's store"), ("REFOCUS_TRAINING_STORAGE", "states of trainings")],
)
def test_a_missing_bucket_is_named_and_one_that_is_there_is_not(
    name: str, what: str, project: Project, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"{bucket}/some/prefix")
    assert found(remotes.buckets, project, all_of_them=True).startswith(
        f"{what}: {bucket}/some/prefix is empty"
    )
    monkeypatch.setenv(name, "s3://no-such-bucket-here/x")
    assert re.search(
        f'{what}: .*cannot be read -> no bucket "no-such-bucket-here"', found(remotes.buckets, project)
    )


@pytest.mark.parametrize(("hours", "said"), [(1, "behind"), (-1, "ahead of"), (0, None)])
def test_a_clock_that_is_off_is_named(
    hours: int,
    said: str | None,
    project: Project,
    served: Callable[[Rule], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rule(path: str, given: Mapping[str, str]) -> Answer:
        return 404, {"Date": email.utils.formatdate(time.time() + 3600 * hours, usegmt=True)}, ""

    monkeypatch.setenv("MLFLOW_TRACKING_URI", served(rule))
    words = found(remotes.clocks, project)
    assert words == "" if said is None else re.search(rf"clock: 3[56]\d\d s {said} that of MLFLOW", words), (
        words
    )


def local_remote(project: Project, port: int, bucket: str) -> str:
    return str(project.root / "not-made-yet")


def there(project: Project, port: int, bucket: str) -> str:
    return f"{bucket}/dvc"


def missing_bucket(project: Project, port: int, bucket: str) -> str:
    return "s3://no-such-bucket-here/dvc"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (local_remote, None),
        (there, None),
        (missing_bucket, "DVC remote team at s3://no-such-bucket-here/dvc cannot"),
    ],
)
def test_the_dvc_remote_is_asked(
    place: Callable[[Project, int, str], str],
    said: str | None,
    project: Project,
    closed_port: int,
    bucket: str,
) -> None:
    assert "dvc remote add" in found(remotes.dvc_remote, project)
    url = place(project, closed_port, bucket)
    (project.root / ".dvc" / "config").write_text(
        f"[core]\n    remote = team\n['remote \"team\"']\n    url = {url}\n"
    )
    words = found(remotes.dvc_remote, project)
    assert words == "" if said is None else re.search(said, words), words


def test_the_git_remote_is_asked(project: Project, closed_port: int, tmp_path: Path) -> None:
    assert "stay in this clone" in found(remotes.git_remote, project, all_of_them=True)

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=project.root, check=True)

    git("remote", "add", "origin", str(tmp_path / "gone"))
    assert re.search(
        "git remote: cannot be read -> .*gone.*git remote set-url", found(remotes.git_remote, project)
    )
    git("remote", "set-url", "origin", f"http://ann:secret-word@127.0.0.1:{closed_port}/x.git")
    words = found(remotes.git_remote, project)
    assert "cannot be read" in words
    assert "secret-word" not in words
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    git("remote", "set-url", "origin", str(tmp_path / "bare"))
    assert found(remotes.git_remote, project) == ""


@pytest.mark.parametrize(
    ("variables", "split"),
    [
        ({"RAY_ADDRESS": "head.example:6379"}, True),
        ({"REFOCUS_STORE": "s3://team/refocus"}, True),
        ({"PREFECT_API_URL": "http://prefect.example/api", "MLFLOW_TRACKING_URI": "sqlite:///x.db"}, True),
        ({"RAY_ADDRESS": "head.example:6379", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, True),
        ({"RAY_ADDRESS": "127.0.0.1:6379"}, False),
        ({"REFOCUS_STORE": "s3://team/refocus", "AWS_ENDPOINT_URL": "http://127.0.0.1:8333"}, False),
        ({}, False),
    ],
)
def test_a_team_with_a_registry_of_one_machine_is_told(
    variables: dict[str, str],
    split: bool,
    project: Project,
    served: Callable[[Rule], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = '{"error_code": "RESOURCE_DOES_NOT_EXIST"}'
    for name, value in variables.items():
        monkeypatch.setenv(name, served(always(404, empty)) if value.endswith(":5000") else value)
    assert ("decisions about models are kept on this one" in found(remotes.one_registry, project)) == split


WELL = look.Node(
    name="10.0.0.2 (b)",
    versions=look.versions_here(),
    offered=1,
    usable=1,
    device=True,
    shm_mb=2000.0,
    free_gb=50.0,
    skew_s=0.4,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"offered": 0, "usable": 0, "device": False}, None),
        ({"versions": {**look.versions_here(), "torch": "2.1.0"}}, "torch 2.1.0, here .*install the same"),
        ({"versions": {**look.versions_here(), "python": "3.9.1"}}, "python 3.9.1, here"),
        ({"usable": 0}, "torch can use 0 of its GPUs.*driver"),
        ({"offered": 0}, "a GPU that Ray does not give out.*--num-gpus"),
        ({"offered": 4}, "torch can use 1 of its GPUs"),
        ({"shm_mb": 60.0}, "--shm-size"),
        ({"free_gb": 0.2}, "0.2 GB free"),
        ({"skew_s": -400.0}, "-400 s off"),
        ({"store": "no bucket"}, "no bucket"),
    ],
)
def test_what_is_wrong_with_a_node_is_named_with_its_remedy(
    change: dict[str, object], said: str | None
) -> None:
    from dataclasses import replace

    words = "; ".join(machines.remedies(replace(WELL, **change), look.versions_here()))
    assert words == "" if said is None else re.search(said, words), words
    assert machines.about(WELL).startswith("ray ")


def test_a_machine_says_of_itself_what_a_node_would(tmp_path: Path, bucket: str) -> None:
    told = look.look("s3://no-such-bucket-here/x")
    assert told.pop("clock") == pytest.approx(time.time(), abs=60)
    node = look.Node(name="here", offered=told["usable"], skew_s=0.0, **told)
    assert 'no bucket "no-such-bucket-here"' in node.store
    assert look.look(f"{bucket}/x")["store"] == ""
    assert node.versions["ray"] == importlib.metadata.version("ray")


def test_a_gpu_without_cuda_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "DEVICES", tmp_path)
    assert "none on this machine" in found(machines.gpu, project, all_of_them=True)
    (tmp_path / "nvidiactl").touch()
    assert found(machines.gpu, project) == ""
    (tmp_path / "nvidia0").touch()
    words = found(machines.gpu, project, all_of_them=True)
    assert re.fullmatch(r"GPU: (\d+ usable -> |there is one, and torch cannot use it -> install .*)", words)
