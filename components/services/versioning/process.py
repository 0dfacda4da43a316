"""Run a child process: pass on its words as they come, and never leave one of its descendants
behind.

A piece of output that ends in a carriage return is progress, one that ends in a newline is news
(core/progress.py).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from components.core import stopping
from components.core.addresses import without_secrets
from components.core.progress import relayed_variable
from components.core.surroundings import OF_ANOTHER_REPOSITORY, for_others

Say = Callable[[str], None]
OWN_SIGNAL_S = 0.5
SAVE_S = 18.0  # how long an ended stage may take to finish a file that it is writing, and to end its Ray


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for a child: our interpreter first in PATH, a plain shell,
    unbuffered words, nothing that points git at another repository, no proxy before this machine.
    """
    own = str(Path(sys.prefix) / "bin")
    inherited = {
        **{name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY},
        "PYTHONUNBUFFERED": "1",
        "SHELL": "/bin/sh",
        "PATH": os.pathsep.join([own, os.environ.get("PATH", "")]),
    }
    return {**for_others(inherited), **relayed_variable(), **(extra or {})}


@dataclass
class Relay:
    """Cuts a stream of bytes into news (given to `say`) and progress (shown in place on a
    terminal).
    """

    say: Say
    _rest: bytes = b""
    _showing: bool = field(default=False, init=False)

    def feed(self, data: bytes) -> None:
        """Take the next bytes, in pieces of any size."""
        self._rest += data
        while (end := _first_end(self._rest)) >= 0:
            if self._rest[end : end + 1] == b"\r" and end + 1 == len(self._rest):
                self._progress(
                    self._rest[:end]
                )  # shown now; a newline right behind it makes it news after all
                self._rest = b""
                return
            piece, ending = self._rest[:end], self._rest[end : end + 1]
            crlf = self._rest[end : end + 2] == b"\r\n"
            self._rest = self._rest[end + (2 if crlf else 1) :]
            if ending == b"\n" or crlf:
                self._news(piece)
            else:
                self._progress(piece)

    def close(self) -> None:
        """Say what is left and clear the progress line."""
        if self._rest:
            self._news(self._rest)
            self._rest = b""
        self._clear()

    def _news(self, piece: bytes) -> None:
        self._clear()
        self.say(without_secrets(piece.decode(errors="replace")))

    def _progress(self, piece: bytes) -> None:
        with suppress(OSError):  # a terminal may be closed at any moment; SIGHUP says so
            if sys.stderr.isatty() and piece:
                width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
                shown = piece.decode(errors="replace")[:width]
                print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
                self._showing = True

    def _clear(self) -> None:
        if self._showing:
            self._showing = False
            with suppress(OSError):
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _first_end(data: bytes) -> int:
    found = [place for place in (data.find(b"\n"), data.find(b"\r")) if place >= 0]
    return min(found, default=-1)


def run_relayed(
    command: Sequence[str],
    *,
    root: Path,
    environment: Mapping[str, str],
    say: Say,
    started: Callable[[int], None] | None = None,
) -> int:
    """Run a command in ROOT to its end, relaying its words; gives its exit code (negative: minus
    the signal).

    started: told the child's pid, which is also its session. Whatever ends this call early (Ctrl-C,
    SIGTERM turned into SystemExit, Prefect's TerminationSignal, a closed pipe), the child's whole
    process tree is asked to stop, given time to end in order, and then killed before the exception
    goes on.
    """
    child = subprocess.Popen(
        command,
        cwd=root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    relay = Relay(say)
    try:
        with stopping.at_last(lambda: _kill(_tree(child.pid))):
            if started is not None:
                started(child.pid)
            for data in _output_of(child):
                relay.feed(data)
            code = child.wait()
        if -code in stopping.HEEDED:
            time.sleep(OWN_SIGNAL_S)  # sent to the whole group, the same signal is on its way to us
        return code
    except BaseException as error:
        if (number := stopping.signal_of(error)) is not None:
            stopping.begin(number)
        with _undisturbed():
            end_tree(child.pid, drain=child)
        raise
    finally:
        relay.close()
        if child.stdout is not None:
            child.stdout.close()


def _output_of(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Bytes as they come, until the child is gone and has nothing left to say.

    A daemon that the child started may hold the pipe open for ever, so its end alone is not waited
    for.
    """
    assert child.stdout is not None
    handle = child.stdout.fileno()
    while True:
        stopping.need_reader()
        gone = child.poll() is not None
        ready, _, _ = select.select([handle], [], [], 0.0 if gone else 0.2)
        if ready:
            data = os.read(handle, 65536)
            if not data:
                return
            yield data
        elif gone:
            return


def end_tree(
    pid: int, *, drain: subprocess.Popen[bytes] | None = None, patience_s: float | None = None
) -> None:
    """End a process, its session and all its descendants: SIGINT first so that each can end in
    order, SIGKILL for what is left.

    drain: the child whose output must be read on meanwhile, or it would block on a full pipe.
    """
    known: dict[int, psutil.Process] = {process.pid: process for process in _tree(pid)}
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGINT)  # the whole group, as a terminal's Ctrl-C does
    until = time.monotonic() + (SAVE_S if patience_s is None else patience_s)
    while time.monotonic() < until:
        known.update({process.pid: process for process in _tree(pid)})
        if drain is not None:
            drain.poll()
            _swallow(drain)
        if not _alive(known.values()) or stopping.hurry.is_set():
            break
        time.sleep(0.05)
    known.update({process.pid: process for process in _tree(pid)})
    left = _alive(known.values())
    _kill(left)
    psutil.wait_procs(left, timeout=5)
    if drain is not None:
        with suppress(subprocess.TimeoutExpired):
            drain.wait(timeout=5)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _tree(pid: int) -> list[psutil.Process]:
    """The process, its descendants, and everything else in the session it leads (a daemon whose
    parent has gone).
    """
    try:
        found = [psutil.Process(pid)]
        found += found[0].children(recursive=True)
    except psutil.NoSuchProcess:
        found = []
    known = {process.pid for process in found}
    for process in psutil.process_iter():
        try:
            if process.pid not in known and os.getsid(process.pid) == pid:
                found.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def _swallow(child: subprocess.Popen[bytes]) -> None:
    if child.stdout is not None and not child.stdout.closed:
        while select.select([child.stdout.fileno()], [], [], 0)[0]:
            if not os.read(child.stdout.fileno(), 65536):
                return


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While children are being ended, a second Ctrl-C or SIGTERM must not leave them orphaned: at
    the command line it hastens the end (core/stopping.py), elsewhere it waits.
    """
    before = {}
    with suppress(ValueError):  # not the main thread: signals do not arrive here
        for number in () if stopping.has_begun() else stopping.HEEDED:
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
