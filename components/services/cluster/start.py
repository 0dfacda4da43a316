"""Ray's beginning and end, and what its workers are given to find the code and the services.

A Ray of our own listens on loopback only, keeps its files in a folder that nobody else may read,
with a path short enough for its sockets, and holds no password in a command line or a log: what
workers are given goes by a function that Ray keeps in memory (`worker_process_setup_hook`), never
by `env_vars`.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.core import debugging, short_folders, stopping
from components.core.addresses import shown
from components.core.causes import cause_of, told
from components.core.errors import InputError, RefocusError, ServiceError
from components.core.files import state_folder, state_variable
from components.core.surroundings import keep_loopback_direct

ADDRESS_VARIABLE = "RAY_ADDRESS"
OBJECT_STORE_BYTES = 256 * 1024 * 1024
PATIENCE_S = 5.0
SOCKET_BYTES = 107 if os.uname().sysname == "Linux" else 103  # what a socket's path may have
SOCKET_BELOW = "/r/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
PASSED_ON = ("REFOCUS_", "AWS_", "MLFLOW_", "TORCH_HOME", "RAY_TRAIN_", "no_proxy", "NO_PROXY")
OPEN_TO_SEE = ("PYTHONPATH", "PYTHONWARNINGS", "RAY_TRAIN_")  # read before any function of ours runs


def worker_environment() -> dict[str, str]:
    """The variables every worker gets: the code's place, the services' addresses and credentials."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    chosen |= state_variable(state_folder())  # a worker may start in another folder
    root = str(Path(__file__).resolve().parents[3])
    chosen["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    chosen["PYTHONWARNINGS"] = os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning")
    return chosen


def open_environment() -> dict[str, str]:
    """The part of it that anybody may see: it stands in Ray's logs and in its workers' command
    lines.
    """
    return {name: value for name, value in worker_environment().items() if name.startswith(OPEN_TO_SEE)}


def _giver() -> Callable[[], None]:
    """A function that gives a worker's process its variables; Ray calls it before any of our code."""
    variables = worker_environment()

    def give() -> None:
        os.environ.update(variables)

    return give


@contextmanager
def ray_started(cpus: int) -> Iterator[Any]:
    """Ray for the length of a block: joined at RAY_ADDRESS, else started on this machine and ended
    with the block.

    cpus: processor slots a local Ray offers; a cluster knows its own.
    Raises ServiceError when RAY_ADDRESS does not answer, InputError when it is none.
    """
    for name in ("UV_RUN_RUNTIME_ENV", "CHDIR_TO_TRIAL_DIR", "ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        prefix = "RAY_ENABLE_" if name.startswith("UV") else "RAY_"
        os.environ.setdefault(prefix + name, "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    keep_loopback_direct()
    address = os.environ.get(ADDRESS_VARIABLE) or "local"
    if address != "local":
        need_cluster(address)
        with _joined(address, {}, ServiceError) as ray:
            yield ray
        return
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # off: this machine's loopback is all it needs
    with _short_folder() as folder:
        settings = {
            "num_cpus": cpus,
            "object_store_memory": OBJECT_STORE_BYTES,
            "dashboard_host": "127.0.0.1",
            "_temp_dir": f"{folder}/r",
        }
        with _joined(address, settings, ServiceError) as ray:
            yield ray


@contextmanager
def _joined(address: str, settings: dict[str, Any], kind: type[RefocusError]) -> Iterator[Any]:
    import ray

    # Ray's workers talk much to say little; errors and progress come back by other ways. --debug
    # lets everything through.
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": open_environment(), "worker_process_setup_hook": _giver()},
            logging_level=logging.ERROR,
            log_to_driver=debugging.is_on(),
            **settings,
        )
    except Exception as error:
        raise _refusal(error, address) from error
    stopping.renew()
    try:
        yield ray
    finally:
        ray.shutdown()
        stopping.renew()


def need_cluster(address: str) -> None:
    """Raises InputError when RAY_ADDRESS is none that work can be sent to, ServiceError within about
    5 s when no Ray answers there: Ray itself would try for minutes.

    `auto` is left to Ray, which looks for a cluster of this machine.
    """
    if address == "auto":
        return
    scheme, host, port = _parts(address)
    if scheme in ("http", "https"):
        raise InputError(
            f"{ADDRESS_VARIABLE} is {shown(address)}, the page of a cluster, where `ray job` sends jobs; a"
            f" run joins the cluster itself: set {ADDRESS_VARIABLE} to HOST:6379 (its head) or ray://HOST:10001"
        )
    if scheme not in ("", "ray") or not host or port is None:
        raise InputError(
            f"{ADDRESS_VARIABLE} is {shown(address)!r}; it must be HOST:PORT of a cluster's head (6379),"
            " ray://HOST:10001, or auto. Unset it to work on this machine"
        )
    remedy = f"start it, correct {ADDRESS_VARIABLE}, or unset it to work on this machine"
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S).close()
    except OSError as error:
        raise ServiceError(
            f"no Ray cluster answers at {ADDRESS_VARIABLE}={shown(address)} ({error}); {remedy}"
        ) from error
    if scheme == "" and not _speaks_grpc(host, port):
        raise ServiceError(
            f"what listens at {ADDRESS_VARIABLE}={shown(address)} does not speak as the head of a Ray"
            f" cluster does; {remedy}"
        )


def _parts(address: str) -> tuple[str, str, int | None]:
    scheme, mark, rest = address.rpartition("://")
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        return scheme.lower() if mark else "", parts.hostname or "", parts.port
    except ValueError:
        return scheme.lower(), "", None


def _speaks_grpc(host: str, port: int) -> bool:
    """Whether what listens there speaks as a cluster's head does; Ray would wait for it for minutes."""
    import grpc

    channel = grpc.insecure_channel(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}", options=(("grpc.enable_http_proxy", 0),)
    )
    try:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
    except grpc.FutureTimeoutError:
        return False
    finally:
        channel.close()
    return True


def _refusal(error: Exception, address: str) -> RefocusError:
    """What Ray's start ended with, in a sentence."""
    if isinstance(error, RefocusError):
        return error
    own = " ".join(str(error).split())[:300]
    where = "" if address == "local" else f" at {ADDRESS_VARIABLE}={shown(address)}"
    if "version mismatch" in own.lower():
        return InputError(
            f"the Ray cluster{where} has another version of Ray or Python than this machine ({own}); install"
            " the cluster's here, or the other way round"
        )
    cause = cause_of(error)
    if address == "local" and cause is not None and cause.name not in ("no answer", "missing", "in the way"):
        return told(cause, place=tempfile.gettempdir(), doing="Ray does not start on this machine", why=own)
    if address == "local":
        return ServiceError(
            f"Ray does not start on this machine: {type(error).__name__}: {own}; `refocus doctor` looks at"
            " what it needs, and train.workers: 0 (synthesize.workers: 0) works without it"
        )
    return ServiceError(
        f"no Ray cluster answers{where}: {own}; start it, or unset {ADDRESS_VARIABLE} to work on this machine"
    )


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder of this user's alone for a Ray of our own, with a path that leaves room for those of
    its sockets; gone with the block.
    """
    folder = short_folders.make(short_place())
    try:
        yield folder
    finally:
        short_folders.remove(folder)


def short_place() -> Path:
    """Where that folder can lie: the temporary folder, or where its path is too long, another.

    Raises InputError when there is none.
    """
    own = Path(tempfile.gettempdir()).absolute()
    for place in (own, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        below = len(os.fsencode(f"{place}/rf-12345678{SOCKET_BELOW}"))
        if below <= SOCKET_BYTES and os.access(place, os.W_OK | os.X_OK):
            return place
    raise InputError(
        f"the temporary folder {own} has too long a path for Ray's sockets (they have"
        f" {SOCKET_BYTES} bytes in all), and neither /tmp nor /var/tmp may be written; set TMPDIR to a folder"
        f" of at most {SOCKET_BYTES - len(SOCKET_BELOW) - 12} bytes"
    )
