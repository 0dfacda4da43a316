"""`make team`, `make team-stop`, `make team-env`: the team's services on this machine.

python -m infra.team start [--folder F] [--ports free]   until Ctrl-C or `stop`
python -m infra.team stop|status|env [--folder F]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from infra.team.process import CHECKOUT, Service, TeamError
from infra.team.stack import Stack, free_ports

LOOK_EVERY_S = 2.0
RESTARTS = 5  # of one service, in the life of this process; then it is left alone
STOPPED_IN_S = 120.0


class EndAsked(Exception):  # noqa: N818 - nothing went wrong
    """Somebody asked for the end."""


def say(words: str, *, to: IO[str] = sys.stdout) -> None:
    print(words, file=to, flush=True)


def start(stack: Stack, only: Sequence[str]) -> int:
    """Start them, say where they are, and stay until the end is asked for; then end all."""
    lock = (stack.folder / "lock").open("a+")
    if not _taken(lock):
        lock.seek(0)
        say(f"the team's services run already (process {lock.read().strip()}); {_how(stack)}")
        return 0
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        wanted = stack.named(only)
        new = not stack.shell_file.is_file()
        began = time.monotonic()
        for name in stack.start(*wanted):
            say(f"{time.monotonic() - began:6.1f} s  {name} answers")
        stack.write_shell_file()
        say(_told(stack, credentials=new))
        _stay(stack, wanted)
    except EndAsked:
        say("stopping; data and credentials are kept")
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()
        say("all services have ended")
    return 0


def stop(stack: Stack) -> int:
    """End all: by who started them, or where nobody does, by what is noted of them."""
    with (stack.folder / "lock").open("a+") as lock:
        if not _taken(lock):
            lock.seek(0)
            os.kill(int(lock.read()), signal.SIGTERM)
            until = time.monotonic() + STOPPED_IN_S
            while not _taken(lock):
                if time.monotonic() > until:
                    raise TeamError(f"they did not end within {STOPPED_IN_S:.0f} s; {_logs(stack)}")
                time.sleep(0.1)
        stack.stop()
    say("the team's services have ended; data and credentials are kept")
    return 0


def status(stack: Stack) -> int:
    """A line for each service; 1 when one does not answer."""
    bad = 0
    for service in stack.services():
        pid = service.pid
        state = "does not run" if pid is None else "answers" if service.answers() else "does not answer"
        bad += state != "answers"
        say(f"{service.name:36} {state}{f' (process {pid})' if pid else ''}")
    return int(bad > 0)


def env(stack: Stack) -> int:
    """The words that a shell evaluates."""
    if not stack.shell_file.is_file():
        raise TeamError("the team's services were not started here yet: make team")
    print(stack.shell_file.read_text(), end="")
    return 0


def _stay(stack: Stack, wanted: Sequence[Service]) -> None:
    """Look after the services; one that ended is told of in a sentence, and started again."""
    restarts: dict[Service, int] = {}
    while True:
        time.sleep(LOOK_EVERY_S)
        for service in stack.ended(*wanted):
            restarts[service] = restarts.get(service, 0) + 1
            if restarts[service] > RESTARTS:
                raise TeamError(
                    f"{service.name} ended {RESTARTS} times: {service.last_words()}; {_logs(stack)}"
                )
            say(f"{service.name} has ended ({service.last_words()}); it and what needs it are started again")
            stack.stop(*stack.that_need(service))
            for name in stack.start(*wanted):
                if name == service.name:
                    say(f"{name} answers again")
            break


def _told(stack: Stack, *, credentials: bool) -> str:
    kept = stack.credentials
    logins = {
        stack.mlflow.address: f"{kept.mlflow_user} / {kept.mlflow_password}",
        stack.prefect.address.removesuffix("/api"): kept.prefect_login,
        stack.s3.address: f"{kept.s3_access_key} / {kept.s3_secret_key}",
        stack.nodes[0].address: f"token {kept.ray_token}",
    }
    names = ("MLflow", "Prefect", "S3", "Ray")
    lines = ["", "The team's services answer:"]
    for name, (address, login) in zip(names, logins.items(), strict=True):
        lines.append(f"  {name:8} {address}" + (f"   {login}" if credentials else ""))
    where = stack.folder / "credentials.json"
    lines.append(f"Credentials are kept in {where}" + (", and not shown again." if credentials else "."))
    if not stack.fenced:
        lines.append(
            "No network namespace can be made here: other users of this machine reach the inner ports of"
            " SeaweedFS (without keys) and of Ray (with its token only)."
        )
    return "\n".join(
        [*lines, f"{_how(stack)[0].upper()}{_how(stack)[1:]}", "Ctrl-C or make team-stop ends them."]
    )


def _how(stack: Stack) -> str:
    own = stack.folder == CHECKOUT / ".refocus" / "team"
    return (
        f'in a shell that is to use them: eval "$(make -s team-env{"" if own else f" TEAM={stack.folder}"})"'
    )


def _logs(stack: Stack) -> str:
    return f"their words stand in {stack.folder / 'logs'}"


def _taken(lock: IO[str]) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _stop(number: int, frame: FrameType | None) -> None:
    raise EndAsked


def main(words: Sequence[str]) -> int:
    """Do what is asked; an error is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m infra.team", description=__doc__)
    parser.add_argument("what", choices=("start", "stop", "status", "env"))
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".refocus" / "team")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help="these, and what they need")
    parser.add_argument("--ports", choices=("usual", "free"), default="usual", help="of a first start")
    asked = parser.parse_args(words)
    known = (asked.folder / "ports.json").is_file()
    try:
        if asked.what != "start" and not asked.folder.is_dir():
            raise TeamError("the team's services were not started here yet: make team")
        stack = Stack(asked.folder, free_ports() if asked.ports == "free" and not known else None)
        stack.keep_ports()
        if asked.what == "start":
            return start(stack, asked.only)
        return {"stop": stop, "status": status, "env": env}[asked.what](stack)
    except TeamError as error:
        say(f"team: error: {error}", to=sys.stderr)
        return 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
