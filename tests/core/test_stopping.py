"""All ways to be stopped: each ends with its line and its code, `finally` is done once, a second signal
hastens, and what hangs is ended all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.core import stopping

ROOT = Path(__file__).parents[2]
# What a command does: it works, and puts its house in order at the end.
WORK = """
import sys, time
from components.core import stopping
from components.console import cli
from components.console.commands import about
stopping.LIMIT_S, stopping.HURRY_S, stopping.ONE_S = {limit}, {hurry}, {one}
def work(arguments):
    try:
        print("at work", flush=True)
        while True:
            time.sleep(0.02)
            stopping.need_reader()
    finally:
        print("in order", file=sys.stderr, flush=True)
        hastened = stopping.hurry.wait({tidying})
        print("in haste" if hastened else "tidied", file=sys.stderr, flush=True)
about._recipes = work
sys.exit(cli.main(["recipes"]))
"""
LINGERING = """import threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
"""
BEFORE = {
    "lingering": LINGERING,
    "ignored": "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n",
    "": "",
}


def start(
    *, limit: float = 60, hurry: float = 60, one: float = 0, tidying: float = 0, before: str = ""
) -> subprocess.Popen[str]:
    # As at a terminal, whoever started the tests: under nohup a hang-up would be ignored.
    terminal = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    )
    code = terminal + BEFORE[before] + WORK.format(limit=limit, hurry=hurry, one=one, tidying=tidying)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "interrupted"),
        (signal.SIGTERM, "ended from outside"),
        (signal.SIGHUP, "closed terminal"),
    ],
)
def test_a_signal_ends_in_order_with_the_line_that_says_how_to_go_on(number: int, said: str) -> None:
    process = start()
    process.send_signal(number)
    _, words = process.communicate()
    assert words.splitlines()[:2] == ["in order", "tidied"]
    assert said in words.splitlines()[2]
    assert words.splitlines()[2].endswith("run the same command again to go on")
    assert len(words.splitlines()) == 3
    assert process.returncode == 128 + number


def test_a_closed_pipe_ends_what_still_works() -> None:
    process = start()
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    words = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert words.splitlines() == ["in order", "tidied"], "a list whose reader has seen enough needs no line"


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_hastens_and_interrupts_nothing(first: int, second: int) -> None:
    process = start(tidying=600)
    assert process.stderr is not None
    process.send_signal(first)
    assert process.stderr.readline() == "in order\n"
    process.send_signal(second)
    assert process.stderr.readline() == "in haste\n"
    assert "run the same command again" in process.stderr.readline()
    process.communicate()
    assert process.returncode == 128 + first


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_twice_at_once_is_one_and_takes_no_time_away(again: int) -> None:
    process = start(one=60, tidying=0.5)
    assert process.stderr is not None
    process.terminate()
    assert process.stderr.readline() == "in order\n"
    process.send_signal(again)
    words = process.stderr.read()
    process.communicate()
    assert words.splitlines()[0] == "tidied"
    assert process.returncode == 143


def test_what_hangs_is_ended_when_patience_is_over_with_the_same_line() -> None:
    process = start(limit=0.5, hurry=0.1, tidying=600)
    process.terminate()
    _, words = process.communicate()
    assert "tidied" not in words
    assert words.splitlines()[-1].endswith("run the same command again to go on")
    assert process.returncode == 143


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, None])
def test_the_line_is_said_once_however_long_threads_linger(again: signal.Signals | None) -> None:
    """As `timeout` does, which signals the process and then its group; a library's thread keeps it alive."""
    process = start(limit=0.5, hurry=0.1, before="lingering")
    assert process.stderr is not None
    process.terminate()
    # Of two signals that wait together Python takes the lower number first, whichever was sent first.
    assert process.stderr.readline() == "in order\n"
    if again is not None:
        process.send_signal(again)
    words = process.stderr.read()  # communicate() knows nothing of what readline() has read ahead
    process.communicate()
    assert words.count("run the same command again to go on") == 1
    assert process.returncode == 143


def test_a_run_that_was_started_to_outlive_its_terminal_does() -> None:
    process = start(before="ignored")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate()
    assert process.returncode == 143


def test_prefects_termination_is_the_signal_it_stands_for() -> None:
    class TerminationSignal(BaseException):
        signal = signal.SIGTERM

    assert stopping.signal_of(TerminationSignal()) == signal.SIGTERM
    assert stopping.signal_of(SystemExit(2)) is None
    assert stopping.signal_of(ValueError()) is None
