"""What each node of a cluster has: asked of it in its own place, for `refocus doctor`. From outside the
cluster a small job asks: `python -m components.services.cluster.look [STORE]`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from components.core.errors import RefocusError, ServiceError
from components.services.cluster.start import ray_started

ANSWER_S = 90.0
JOB_S = 150.0  # for a job that starts a process and asks each node
ENTRY = "python -m components.services.cluster.look"
TOLD = "refocus-nodes "  # begins the job's line
NONE = "none"  # the version of what is not installed
DEVICES = Path("/dev")
ASK_CUDA = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"


@dataclass(frozen=True)
class Node:
    """One node as a task of ours finds it.

    offered, usable: GPUs that Ray gives out there, and those that torch can use; device: whether the
    machine has a GPU at all; skew_s: its clock less ours; store: why the team's store cannot be read
    from there, empty when it can.
    """

    name: str
    versions: dict[str, str]
    offered: int
    usable: int
    device: bool
    shm_mb: float
    free_gb: float
    skew_s: float
    store: str = ""


def versions_here() -> dict[str, str]:
    """What a node must have in common with whoever sends it work."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in ("ray", "torch", "numpy")},
    }


def usable_gpus() -> int:
    """GPUs that torch can use on this machine, asked in a process that sees all of them."""
    seen = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-c", ASK_CUDA], env=seen, capture_output=True, text=True, check=False
    )
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


def has_device() -> bool:
    """Whether this machine has an NVIDIA GPU, whatever torch makes of it."""
    return any(DEVICES.glob("nvidia[0-9]*"))


def look_at_nodes(store: str | None) -> tuple[Node, ...]:
    """Join the cluster at RAY_ADDRESS and ask each of its nodes.

    store: s3:// place that every node must be able to read. Raises ServiceError when the cluster, or
    one of its nodes, does not answer.
    """
    with ray_started(1) as ray:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        found = []
        asked = {}
        for node in (node for node in ray.nodes() if node["Alive"]):
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(look)
            asked[task.remote(store)] = node
        for answer, node in asked.items():
            name = f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']})"
            try:
                before = time.time()
                told: dict[str, Any] = ray.get(answer, timeout=ANSWER_S)
            except ray.exceptions.RayError as error:
                why = " ".join(str(error).split())[:200]
                raise ServiceError(
                    f"node {name} of the Ray cluster runs nothing of ours ({why}); look at its log, or take"
                    " it out of the cluster"
                ) from error
            clock = told.pop("clock")
            skew = 0.0 if before <= clock <= time.time() else clock - before
            found.append(Node(name=name, offered=int(node["Resources"].get("GPU", 0)), skew_s=skew, **told))
    return tuple(sorted(found, key=lambda node: node.name))


def look_from_outside(store: str | None) -> tuple[Node, ...]:
    """The same of a cluster to which stages are sent, by a job; clocks are compared with its head's.

    Raises ServiceError when the cluster does not answer, or its job has not ended within JOB_S.
    """
    import shlex

    from components.services.cluster import jobs

    there = jobs.Cluster()
    entry = f"{ENTRY} {shlex.quote(store)}" if store else ENTRY
    try:
        lines = there.said(f"refocus-look-{uuid.uuid4().hex[:12]}", entry, JOB_S)
    except ServiceError as error:
        raise ServiceError(f"its page tells of {', '.join(there.nodes()) or 'no node'}; {error}") from error
    told = next((line for line in reversed(lines) if line.startswith(TOLD)), None)
    if told is None:
        raise ServiceError("a job that looks at the cluster's nodes ended well and told nothing")
    return tuple(Node(**node) for node in json.loads(told.removeprefix(TOLD)))


def look(store: str | None) -> dict[str, Any]:
    """What a task finds where it runs."""
    return {
        "versions": versions_here(),
        "usable": usable_gpus() if has_device() else 0,
        "device": has_device(),
        "shm_mb": shutil.disk_usage("/dev/shm").free / 1e6 if Path("/dev/shm").is_dir() else 0.0,
        "free_gb": shutil.disk_usage(Path.cwd()).free / 1e9,
        "store": _why_not(store) if store else "",
        "clock": time.time(),
    }


def _why_not(store: str) -> str:
    from components.services import storage

    try:
        storage.need_readable(store)
    except RefocusError as error:
        return f"{socket.gethostname()}: {error}"
    return ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return NONE


def main(store: str | None) -> int:
    """Within a job: ask every node, and print one line for who sent it."""
    from components.core import stopping, surroundings
    from components.services.cluster import jobs

    surroundings.settle()
    jobs.settle(gpu=False)
    stopping.heed()
    try:
        found = look_at_nodes(store)
    except RefocusError as error:
        print(f"refocus: error: {error}", flush=True)
        return error.exit_code
    print(TOLD + json.dumps([asdict(node) for node in found]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else None))
