"""A service as a process: started in a session of its own, asked whether it answers, ended with all its
children. What runs is known by a file, so that another process may stop it or go on with it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

CHECKOUT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "OMP_NUM_THREADS", "SSL_CERT_FILE")


class TeamError(Exception):
    """What keeps a service from running, in one sentence with the remedy."""


class Service:
    """One service. Kinds say their `command`, and what they need of the rest."""

    name = "service"
    ending = signal.SIGTERM
    ending_s = 15.0  # then it is killed
    ends_children = True  # itself; else they are told, too

    def __init__(self, folder: Path, *needs: Service | None) -> None:
        """needs: what must answer before this one can start."""
        self.folder = folder.absolute()
        self.needs = tuple(each for each in needs if each is not None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where it writes what it says."""
        return self.folder.parent / "logs" / f"{self.folder.name}.log"

    def command(self) -> Sequence[str]:
        """What is run."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """What its process has in its environment besides what every process of this user has."""
        return {}

    def ports(self) -> tuple[int, ...]:
        """The ports of this machine that it listens on."""
        return ()

    def prepare(self) -> None:
        """Make what it needs once, before it is started. May be called again."""

    def answers(self) -> bool:
        """Whether it does what it is for, asked as its clients would."""
        raise NotImplementedError

    def settle(self) -> None:
        """What is to be done once it answers. May be called again."""

    def place(self) -> Path:
        """The folder that it works in."""
        return self.folder

    def user(self) -> str | None:
        """The user that it runs as, when that is not this one."""
        return None

    @property
    def pid(self) -> int | None:
        """Its process, when it runs."""
        process = self._found()
        return process.pid if process else None

    def start(self) -> None:
        """Begin to start it; one that runs already is left alone. Raises TeamError when it cannot."""
        if self._found() is not None:
            return
        for place in (self.folder, self.log.parent):
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o700)
        for port in self.ports():
            need_free(port, self.name)
        self.prepare()
        user = self.user()
        with self.log.open("ab") as words:
            self._process = subprocess.Popen(
                list(self.command()),
                cwd=self.place(),
                env=base_environment() | self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        made = psutil.Process(self._process.pid).create_time()
        self._note.write_text(json.dumps({"pid": self._process.pid, "created": made}))

    def ready(self) -> bool:
        """Whether it answers by now, and all is settled. Raises TeamError when it has ended instead."""
        if self._found() is None:
            raise TeamError(f"{self.name} ended while it was starting: {self.last_words()} ({self.log})")
        if not self.answers():
            return False
        self.settle()
        return True

    def stop(self) -> None:
        """End it and all that it has started; where it does not run, nothing happens."""
        process = self._found()
        if process is not None:
            family = [process, *_children(process)]
            for one in family if not self.ends_children else family[:1]:
                with contextlib.suppress(psutil.Error):
                    one.send_signal(signal.SIGCONT)  # one that was stopped would not hear the rest
                    one.send_signal(self.ending)
            _, left = psutil.wait_procs([process], timeout=self.ending_s)
            family += [child for one in left for child in _children(one)]
            _, left = psutil.wait_procs(family, timeout=2)
            for one in left:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=10)
        if self._process is not None:
            self._process.wait()
        self._note.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last line of its log."""
        try:
            with self.log.open("rb") as words:
                words.seek(max(0, self.log.stat().st_size - 4000))
                lines = words.read().decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return " ".join((lines or ["it said nothing"])[-1].split())[:300]

    @property
    def _note(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.pid"

    def _found(self) -> psutil.Process | None:
        """Its process, when the one that is noted still lives."""
        try:
            noted = json.loads(self._note.read_text())
            process = psutil.Process(noted["pid"])
            same = abs(process.create_time() - noted["created"]) < 0.1
            if process.status() == psutil.STATUS_ZOMBIE:
                if self._process is not None:
                    self._process.poll()
                return None
            return process if same else None
        except (OSError, ValueError, KeyError, psutil.Error):
            return None


def base_environment() -> dict[str, str]:
    """What every service gets: no credentials of this shell, this checkout's code, this interpreter's
    commands.
    """
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    kept["PYTHONPATH"] = str(CHECKOUT)
    return kept | {"DO_NOT_TRACK": "1", "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}


def need_free(port: int, name: str) -> None:
    """Raises TeamError when somebody listens at a port of this machine."""
    import socket

    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind(("127.0.0.1", port))
        except OSError as error:
            raise TeamError(
                f"port {port}, where {name} would listen, is in use{_by_whom(port)}; end that, or start with"
                " free ports: make team-stop && make team PORTS=free"
            ) from error


def get(address: str, login: str | None = None, token: str | None = None, seconds: float = 5) -> int:
    """The status that an address answers with; 0 when nothing answers. login: user:password."""
    request = urllib.request.Request(address)
    if login is not None:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(request, timeout=seconds) as answer:
            _drain(answer)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 0
    except Exception as error:  # http.client's, when it is spoken to in the middle of its start
        if type(error).__module__ == "http.client":
            return 0
        raise


def _drain(answer: IO[bytes]) -> None:
    while answer.read(1 << 16):
        pass


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _by_whom(port: int) -> str:
    """Who listens there, as far as this user may see it."""
    try:
        for found in psutil.net_connections("tcp"):
            at = found.laddr
            if found.status == psutil.CONN_LISTEN and at and at.port == port and found.pid:
                return f" by process {found.pid} ({psutil.Process(found.pid).name()})"
    except psutil.Error:
        pass
    return ""
