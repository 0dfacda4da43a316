"""Ray's beginning and end.

A Ray of our own listens on loopback only, keeps its files in a folder that nobody else may read,
with a path short enough for its sockets, and holds no password in a command line or a log. On a
cluster that is joined, every node must have the run's code and libraries before work begins. What
workers are given stands in given.py.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.core import debugging, short_folders, stopping
from components.core.addresses import shown
from components.core.causes import cause_of, told
from components.core.errors import InputError, RefocusError, ServiceError
from components.core.surroundings import keep_loopback_direct
from components.services.cluster import address as addresses
from components.services.cluster import code, given, nodes
from components.services.cluster.address import ADDRESS_VARIABLE

LOOK_S = "0.5"  # from one look of Ray Train at its workers to the next, for which states and the end wait
OBJECT_STORE_BYTES = 256 * 1024 * 1024
SOCKET_BYTES = 107 if os.uname().sysname == "Linux" else 103  # what a socket's path may have
SOCKET_BELOW = "/r/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # Ray sets it for the process that a job starts


@contextmanager
def ray_started(cpus: int) -> Iterator[Any]:
    """Ray for the length of a block: joined at RAY_ADDRESS, else started on this machine and ended
    with the block.

    cpus: processor slots a local Ray offers; a cluster knows its own.
    Raises ServiceError when RAY_ADDRESS does not answer, InputError when it is none, or when a node
    of the cluster has other code or libraries than this run.
    """
    for name in ("UV_RUN_RUNTIME_ENV", "CHDIR_TO_TRIAL_DIR", "ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        prefix = "RAY_ENABLE_" if name.startswith("UV") else "RAY_"
        os.environ.setdefault(prefix + name, "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", LOOK_S)
    keep_loopback_direct()
    address = addresses.of_environment()
    if addresses.is_cluster():
        addresses.need_inside(address)
        addresses.need_cluster(address)
        with _code() as sent, _joined(address, _environment(address) | sent, {}) as ray:
            nodes.refuse_others(ray)
            yield ray
        return
    # Ray would let its workers give way to everybody (nice 15). Where another process keeps one core busy,
    # the threads of each operation then wait for the one on that core: the training all but stands still.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # off: this machine's loopback is all it needs
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False  # where Ray was imported before, it has read the variable
    with _short_folder() as folder:
        settings = {
            "num_cpus": cpus,
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,  # nobody looks at the page, which is nine processes of Python
            "dashboard_host": "127.0.0.1",
            "_temp_dir": f"{folder}/r",
        }
        with _joined(address, _environment(address), settings) as ray:
            yield ray


def _environment(address: str) -> dict[str, Any]:
    """Ray's words for what workers are given beside the code."""
    hook = given.cluster_hook(address) if addresses.is_cluster() else given.local_hook()
    return {"env_vars": given.open_environment(), "worker_process_setup_hook": hook}


@contextmanager
def _code() -> Iterator[dict[str, Any]]:
    """The code as it goes to a cluster; nothing within a job, which came with it."""
    if IN_A_JOB in os.environ:
        yield {}
        return
    with code.packed() as package:
        yield {"working_dir": str(package)}


@contextmanager
def _joined(address: str, environment: dict[str, Any], settings: dict[str, Any]) -> Iterator[Any]:
    import ray

    # Ray's workers talk much to say little; errors and progress come back by other ways. --debug
    # lets everything through.
    try:
        ray.init(
            address=address,
            runtime_env=environment,
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


def ray_is_gone() -> bool:
    """Whether a process of a Ray of our own has ended, so that it will not answer any more."""
    from ray._private import worker

    node = worker._global_node
    return node is not None and bool(node.dead_processes())


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
