"""The nodes of a cluster: whether each has the run's code and libraries, before any work.

Nodes that come later (elastic, replaced) are asked by the workers that start there (`need_same`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from components.core.errors import ServiceError
from components.services.cluster import address, code

ANSWER_S = 180.0  # for a node that has to unpack the code and start a process
GONE_S, LOOK_S = 30.0, 0.5  # until Ray has noticed that a node is gone


def alive(ray: Any) -> list[dict[str, Any]]:
    """The nodes that are up, by name."""
    found = [node for node in ray.nodes() if node["Alive"]]
    return sorted(found, key=lambda node: (node["NodeManagerAddress"], node["NodeID"]))


def name_of(node: Mapping[str, Any]) -> str:
    """A node's address, with its host's name."""
    return f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']})"


def others(ray: Any) -> list[str]:
    """The nodes that are on other machines than this one."""
    here = socket.gethostname()
    return [name_of(node) for node in alive(ray) if node["NodeManagerHostname"] != here]


def other_machines() -> list[str]:
    """The nodes of the cluster that has been joined which are on other machines than this one."""
    import ray

    return others(ray)


def refuse_others(ray: Any) -> None:
    """Ask every node what it has. Raises InputError, naming the node and both versions, when that is not
    what this process has; ServiceError when a node does not answer and is not gone either.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    wished, about, asked = code.wanted(), code.asker(), {}
    for node in alive(ray):
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=1, scheduling_strategy=strategy)(about)
        asked[task.remote()] = node
    for answer, node in asked.items():
        name = name_of(node)
        try:
            told = ray.get(answer, timeout=ANSWER_S)
        except ray.exceptions.RayError as error:
            if _is_gone(ray, node["NodeID"]):
                continue
            raise ServiceError(
                f"node {name} of the Ray cluster runs nothing of ours"
                f" ({' '.join(str(error).split())[:200]}); look at its log, or take it out of the cluster"
            ) from error
        code.refuse_others(name, told, wished)


def _is_gone(ray: Any, node_id: str) -> bool:
    """Whether a node that does not answer leaves the cluster: Ray hears of it a while later."""
    until = time.monotonic() + GONE_S
    while any(node["NodeID"] == node_id for node in alive(ray)):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True


def wished() -> Mapping[str, str] | None:
    """What workers elsewhere must have; None where they are on this machine."""
    return code.wanted() if address.is_cluster() else None


def need_same(wished: Mapping[str, str] | None) -> None:
    """Raises InputError when the machine that this is called on has other code or libraries than the run
    wishes. Called by every worker, as its node may have joined after the others were asked.
    """
    if wished is not None:
        _need_same(tuple(sorted(wished.items())))


@cache
def _need_same(wished: tuple[tuple[str, str], ...]) -> None:
    import ray

    here = ray.util.get_node_ip_address()
    code.refuse_others(f"{here} ({socket.gethostname()})", code.wanted(), dict(wished))
