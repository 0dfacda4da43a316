"""One piece of work on a node that has a GPU, for a driver that has none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from components.core.errors import InputError
from components.core.gpu import Gpu
from components.services.cluster import address, nodes
from components.services.cluster.map import result_of
from components.services.cluster.start import IN_A_JOB, ray_started

Job = TypeVar("Job")
Result = TypeVar("Result")


def is_joined() -> bool:
    """Whether this process is a driver on a cluster's node; not within a job, which has what it asked for."""
    return address.is_cluster() and not address.is_outside() and IN_A_JOB not in os.environ


def on_gpu_node(function: Callable[[Job], Result], job: Callable[[], Job], gpu: Gpu) -> tuple[Result] | None:
    """What a function gives on a node of the joined cluster that has a GPU; None where the cluster has none
    and the work is to be done here.

    job: makes what the function is called with, once the cluster is joined; both are pickled. gpu: as a
    recipe's evaluate section has it. Raises InputError where a GPU is required and there is none, and what
    the function raises.
    """
    with ray_started(1) as ray:
        if not sum(node["Resources"].get("GPU", 0) for node in nodes.alive(ray)):
            if gpu == "require":
                raise InputError(
                    "evaluate.gpu is require, and neither this machine nor the Ray cluster has a GPU; set"
                    " evaluate.gpu to auto or never to measure on processors, or add a node that has one"
                )
            return None
        wished = nodes.wished()

        def once(asked: Job) -> Result:
            nodes.need_same(wished)
            return function(asked)

        # One that loses its node begins anew on another.
        remote = ray.remote(num_cpus=1, num_gpus=1, max_retries=1)(once)
        result: Result = result_of(ray, remote.remote(job()))
        return (result,)
