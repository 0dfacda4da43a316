"""All ways in which people and supervisors stop a run: it ends soon, in order, with the line that says
how to go on, and leaves no process behind.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import children_of, ends, wait_for
from tiny_clone import INTERRUPTIBLE, Clone, clone_into

pytestmark = pytest.mark.services
GO_ON = "what was finished is kept, run the same command again to go on"
SECONDS = 60  # on a machine that does much else; 2 to 10 s on an idle one


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return clone_into(tmp_path_factory.mktemp("stops") / "refocus")


def at_work(clone: Clone, *words: str) -> subprocess.Popen[str]:
    """A run whose stage is at work in a process of its own."""
    holder = clone.root / ".refocus" / "locks" / "tiny.json"
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", INTERRUPTIBLE, "run", "tiny", *words],
        cwd=clone.root,
        env=clone.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def begun() -> bool:
        return run.poll() is not None or (holder.is_file() and "child" in json.loads(holder.read_text()))

    assert wait_for(begun, 300)
    assert run.poll() is None, run.communicate()[1]
    return run


def close(run: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    assert run.stdout is not None
    run.stdout.close()


def signal_all(number: int, run: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    """As systemd, Slurm and a closing terminal do: to everybody at once."""
    for process in [psutil.Process(run.pid), *family]:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def twice(number: int, run: subprocess.Popen[str]) -> None:
    run.send_signal(number)
    time.sleep(0.3)
    run.send_signal(number)


WAYS = {
    "SIGTERM to one": (143, lambda run, family: run.terminate()),
    "SIGTERM to all": (143, lambda run, family: signal_all(signal.SIGTERM, run, family)),
    "SIGHUP to one": (129, lambda run, family: run.send_signal(signal.SIGHUP)),
    "SIGHUP to all": (129, lambda run, family: signal_all(signal.SIGHUP, run, family)),
    "Ctrl-C twice": (130, lambda run, family: twice(signal.SIGINT, run)),
    "closed pipe": (141, close),
}


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("SIGTERM to all", ()),
        ("SIGHUP to one", ()),
        ("Ctrl-C twice", ()),
        ("SIGTERM to one", ("--no-prefect",)),
        ("SIGHUP to all", ("--no-prefect",)),
        ("closed pipe", ("--no-prefect",)),
    ],
    ids=lambda given: given if isinstance(given, str) else "plainly" if given else "under Prefect",
)
def test_a_run_ends_soon_and_in_order(way: str, words: tuple[str, ...], clone: Clone) -> None:
    code, stop = WAYS[way]
    run = at_work(clone, *words)
    family = children_of(psutil.Process(run.pid))
    assert words or any("flows.private_server" in process.cmdline() for process in family)
    began = time.monotonic()
    stop(run, family)
    assert run.stdout is not None
    assert run.stderr is not None
    said = run.stderr.read()  # until every process that could still say something has ended
    run.stdout.close()
    run.stderr.close()
    assert run.wait() == code, said
    assert time.monotonic() - began < SECONDS
    assert ends(family, 5), "a process of the run was left behind"
    assert said.splitlines()[-1].startswith("refocus: ")
    assert said.splitlines()[-1].endswith(GO_ON)
    for noise in ("Traceback", "should not happen", "Error logging to API", "ConnectError"):
        assert noise not in said
    assert not (clone.root / ".refocus" / "locks" / "tiny.json").exists()


def test_the_private_server_ends_with_a_run_that_was_killed_outright(clone: Clone) -> None:
    run = at_work(clone)
    server = [
        process
        for process in children_of(psutil.Process(run.pid))
        if "flows.private_server" in process.cmdline()
    ]
    assert server
    run.kill()
    run.communicate()
    assert ends(server, SECONDS)
    assert Path(clone.root / ".refocus" / "locks" / "tiny.json").is_file(), "the next run clears up"
