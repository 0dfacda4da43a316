"""Ray's beginning and end, and what its workers are given to find the code and the services."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.core import debugging
from components.core.errors import ServiceError
from components.core.files import state_folder, state_variable

OBJECT_STORE_BYTES = 256 * 1024 * 1024
PASSED_ON = ("REFOCUS_", "AWS_", "MLFLOW_", "TORCH_HOME", "RAY_TRAIN_")


def worker_environment() -> dict[str, str]:
    """The variables every worker gets: the code's place, the services' addresses, one thread pool a
    worker.
    """
    chosen = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    chosen |= state_variable(state_folder())  # a worker may start in another folder
    root = str(Path(__file__).resolve().parents[3])
    chosen["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    chosen["PYTHONWARNINGS"] = os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning")
    return chosen


@contextmanager
def ray_started(cpus: int) -> Iterator[Any]:
    """Ray for the length of a block: joined at RAY_ADDRESS, else started on this machine and ended
    with the block.

    cpus: processor slots a local Ray offers; a cluster knows its own.
    Raises ServiceError when RAY_ADDRESS does not answer.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    # Ray's workers talk much to say little; errors and progress come back by other ways. --debug
    # lets everything through.
    address = os.environ.get("RAY_ADDRESS", "local")
    local: dict[str, Any] = (
        {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "dashboard_host": "127.0.0.1"}
        if address == "local"
        else {}
    )
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": worker_environment()},
            logging_level=logging.ERROR,
            log_to_driver=debugging.is_on(),
            **local,
        )
    except ConnectionError as error:
        raise ServiceError(
            f"no Ray cluster answers at RAY_ADDRESS={address}: {error}; start it, or unset RAY_ADDRESS to"
            " work on this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
