"""What a tracking server is asked without MLflow is what MLflow would have said."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.services.tracking import server_registry
from components.services.tracking.registry import Version

pytestmark = pytest.mark.services

SERVER = """
import os, sys
address = "sqlite:///" + sys.argv[1]
os.environ |= {"_MLFLOW_SERVER_FILE_STORE": address, "_MLFLOW_SERVER_REGISTRY_STORE": address}
os.environ |= {"_MLFLOW_SERVER_ARTIFACT_ROOT": sys.argv[1] + "-files", "MLFLOW_DISABLE_TELEMETRY": "true"}
from mlflow import MlflowClient
client = MlflowClient(address, registry_uri=address)
client.create_experiment("refocus")
made = client.create_registered_model("demo", tags={"refocus.looked.demo": '{"a": "b"}', "empty": ""})
for number, tags in ((1, {"validation_status": "passed", "git.commit": "c" * 40}), (2, {})):
    client.create_model_version("demo", "s3://nowhere/x", None, tags=tags)
client.set_registered_model_alias("demo", "champion", 1)
client.set_registered_model_alias("demo", "previous", 1)
client.create_registered_model("bare")
from mlflow.server import app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""
ASK = """
import json, sys
from components.services import tracking
from components.services.tracking import registry, store
store.need_answer()
plain = [
    *(tracking.model_tags(name) for name in ("demo", "bare", "nobody")),
    tracking.at_alias("demo", "champion").number,
    tracking.at_alias("demo", "x"),
    tracking.at_alias("nobody", "champion"),
    *(vars(found) if found else None for found in (registry.maybe_version("demo", n) for n in (1, 2, 9))),
]
print(json.dumps(["mlflow" in sys.modules, plain]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("mlflow")
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(place / "mlflow.db")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, (place / "log").read_text()
        yield f"http://127.0.0.1:{port}"
        process.kill()
        process.wait()
        process.stdout.close()


def said(server: str, home: Path, **variables: str) -> tuple[bool, object]:
    """Whether MLflow was imported to ask all that, and what came of it."""
    root = str(Path(__file__).parents[2])
    own = {"PYTHONPATH": root, "MLFLOW_TRACKING_URI": server, "REFOCUS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONWARNINGS": "ignore", **own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported, plain = json.loads(done.stdout)
    return imported, plain


def test_a_server_is_asked_without_mlflow_and_says_the_same(server: str, tmp_path: Path) -> None:
    imported, plain = said(server, tmp_path)
    assert not imported
    # MLFLOW_TRACKING_INSECURE_TLS is one of the ways that are MLflow's own to know.
    by_mlflow, same = said(server, tmp_path, MLFLOW_TRACKING_INSECURE_TLS="true")
    assert by_mlflow
    assert plain == same
    assert isinstance(plain, list)
    assert plain[:6] == [{"refocus.looked.demo": '{"a": "b"}', "empty": ""}, {}, {}, 1, None, None]
    first = Version(**{**plain[6], "aliases": tuple(plain[6]["aliases"])})
    assert (first.number, first.tags["git.commit"], set(first.aliases)) == (
        1,
        "c" * 40,
        {"champion", "previous"},
    )
    assert plain[8] is None


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "p:w"}, "Basic YW5uOnA6dw=="),
        ({"MLFLOW_TRACKING_TOKEN": "abc"}, "Bearer abc"),
        ({}, None),
    ],
)
def test_it_logs_in_as_mlflow_does(
    variables: dict[str, str], sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str | None] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"experiments": []}')

        def log_message(self, *words: object) -> None:
            """Silent."""

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as place:
        thread = threading.Thread(target=place.handle_request)
        thread.start()
        assert server_registry.answers(f"http://127.0.0.1:{place.server_port}")
        thread.join()
    assert heard == [sent]


@pytest.mark.parametrize(
    "name", [*server_registry.ITS_OWN, "~/.mlflow/credentials", "a closed port", "another kind of address"]
)
def test_what_is_mlflows_own_to_know_is_left_to_it(
    name: str, closed_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if name.startswith("MLFLOW"):
        monkeypatch.setenv(name, "x")
    elif name.startswith("~"):
        (tmp_path / ".mlflow").mkdir()
        (tmp_path / ".mlflow" / "credentials").touch()
    uri = "postgresql://x/y" if name.startswith("another") else f"http://127.0.0.1:{closed_port}"
    assert server_registry.asked(uri, "registered-models/get", name="demo") is None
    assert not server_registry.answers(uri)
