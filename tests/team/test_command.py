"""`make team` as a person has it: what it says, what it keeps, what it leaves running. With the store and
the database only, which take a second to start.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import children_of, ends, wait_for

from infra.team.fence import is_possible
from infra.team.process import CHECKOUT
from infra.team.stack import USUAL, Stack

pytestmark = pytest.mark.services
SOME = ("--only", "s3", "postgres")


class Command:
    """The command with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def run(self, what: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._words(what, *words), cwd=CHECKOUT, capture_output=True, text=True, check=False
        )

    def start(self, *words: str) -> tuple[subprocess.Popen[str], list[str]]:
        """Start it; what it says until its services answer."""
        process = subprocess.Popen(
            self._words("start", "--ports", "free", *words),
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process, said_until(process, "Ctrl-C or make team-stop")

    def stack(self) -> Stack:
        return Stack(self.folder)

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        if self.folder.is_dir():
            self.stack().stop()

    def _words(self, what: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "infra.team", what, "--folder", str(self.folder), *words]


def said_until(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if last in line:
            return lines
    raise AssertionError("it ended, saying\n" + "\n".join(lines))


@pytest.fixture
def command() -> Iterator[Command]:
    with tempfile.TemporaryDirectory(prefix="tc-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        made = Command(Path(folder) / "team")
        yield made
        made.end()


def test_credentials_are_told_once_and_kept_with_data_and_ports_for_this_user_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3
    import psycopg

    process, said = command.start(*SOME)
    stack = command.stack()
    secret = stack.credentials.s3_secret_key
    assert sum(secret in line for line in said) == 1
    for name in ("credentials.json", "env.sh"):
        assert stat.S_IMODE((command.folder / name).stat().st_mode) == 0o600
    others = stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH
    for name in ("logs", "s3", "postgres"):
        assert (command.folder / name).stat().st_mode & others == 0
    assert f"export AWS_SECRET_ACCESS_KEY={secret}\n" in command.run("env").stdout

    for name, value in stack.s3.client_variables().items():
        monkeypatch.setenv(name, value)
    boto3.session.Session().client("s3").put_object(Bucket="photos", Key="a/b", Body=b"kept")
    with psycopg.connect(stack.postgres.address("mlflow")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert "ended; data and credentials are kept" in command.run("stop").stdout
    assert process.wait() == 0
    assert [service.name for service in stack.services() if service.pid is not None] == []

    _, again = command.start(*SOME)
    assert not any(secret in line for line in again)
    client = boto3.session.Session().client("s3")
    assert client.get_object(Bucket="photos", Key="a/b")["Body"].read() == b"kept"
    with psycopg.connect(stack.postgres.address("mlflow")) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_second_start_changes_nothing_and_ctrl_c_ends_all(command: Command) -> None:
    process, _ = command.start(*SOME)
    family = children_of(psutil.Process(process.pid))
    running = {service.name: service.pid for service in command.stack().named(("s3", "postgres"))}
    assert None not in running.values()
    second = command.run("start", *SOME)
    assert second.returncode == 0
    assert f"run already (process {process.pid})" in second.stdout
    assert running == {service.name: service.pid for service in command.stack().named(("s3", "postgres"))}
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate()[0].splitlines()
    assert said == ["stopping; data and credentials are kept", "all services have ended"]
    assert process.returncode == 0
    assert ends(family)


def test_what_a_killed_start_left_is_taken_over_and_ended(command: Command) -> None:
    process, _ = command.start("--only", "postgres")
    process.kill()
    process.wait()
    left = command.stack().postgres.pid
    assert left is not None, "the services live on"
    command.start("--only", "postgres")
    assert command.stack().postgres.pid == left
    assert command.run("stop").returncode == 0
    assert not psutil.pid_exists(left)


def test_a_port_in_use_is_told_with_who_has_it(command: Command) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        command.folder.mkdir()
        (command.folder / "ports.json").write_text(json.dumps({**USUAL, "postgres": held.getsockname()[1]}))
        done = command.run("start", "--only", "postgres")
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert (
        f"port {held_port(done.stderr)}, where PostgreSQL would listen, is in use by process {os.getpid()}"
        in line
    )
    assert "PORTS=free" in line


def held_port(text: str) -> str:
    return text.partition("port ")[2].partition(",")[0]


@pytest.mark.skipif(not is_possible(), reason="no network namespace can be made here")
def test_a_service_that_dies_is_told_of_and_started_again_with_what_needs_it(command: Command) -> None:
    process, _ = command.start("--only", "s3")
    stack = command.stack()
    assert stack.s3_fence is not None
    before = stack.s3.pid
    psutil.Process(stack.s3_fence.pid).kill()
    said = said_until(process, "answers again")
    assert said[0].startswith("the fence (s3-fence) has ended (")
    assert wait_for(lambda: stack.s3.pid not in (None, before) and stack.s3.answers(), 60)


def test_what_there_is_not_is_told_by_name(command: Command) -> None:
    assert "not started here yet: make team" in command.run("stop").stderr
    done = command.run("start", "--only", "redis")
    assert done.returncode == 4
    assert 'there is no service "redis"; there are mlflow, n0, n1, postgres' in done.stderr
