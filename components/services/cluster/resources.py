"""What a training asks of the machines it works on: processors and GPUs a worker, how they are placed,
how many workers at the least and at the most; and whether there is room for it.

Asked of Ray, which knows its nodes, and never of the driver, which may be a machine without a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components.core.errors import InputError
from components.core.gpu import Gpu
from components.services.cluster import address, nodes

PLACEMENTS = {"pack": "PACK", "spread": "SPREAD"}


@dataclass(frozen=True)
class Workers:
    """The workers that a training wants.

    least, most: how many; between them the cluster decides, of `counts`, those that part a batch
    evenly. cpus: of a worker on a cluster, None there is one; gpu: `auto` takes a GPU a worker where
    there are GPUs; placement: `pack` puts workers on few nodes, `spread` on many.
    """

    least: int
    most: int
    gpu: Gpu = "auto"
    cpus: int | None = None
    placement: str = "pack"
    counts: tuple[int, ...] = ()

    @property
    def elastic(self) -> bool:
        """Whether their number may change while they work."""
        return self.least < self.most


@dataclass(frozen=True)
class Share:
    """What each worker gets: processors, and whether a GPU."""

    cpus: int
    gpu: bool

    @property
    def words(self) -> Mapping[str, float]:
        """As Ray has it."""
        return {"CPU": self.cpus} | ({"GPU": 1} if self.gpu else {})


def local_cpus(workers: Workers) -> int:
    """Processors that a Ray of our own offers: those of the machine, parted among its workers, and one
    for what drives them.
    """
    return workers.most * _of_this_machine(workers) + 1


def share(ray: Any, workers: Workers) -> Share:
    """What each worker gets of the machines that Ray has. Raises InputError at once, with what there is,
    when the least number of workers finds no room.
    """
    cpus = (workers.cpus or 1) if address.is_cluster() else _of_this_machine(workers)
    found = [node["Resources"] for node in nodes.alive(ray)]
    gpus = int(sum(node.get("GPU", 0) for node in [*found, _grown(ray)]))
    wants = workers.gpu == "require" or (workers.gpu == "auto" and gpus > 0)
    asked = Share(cpus, wants)
    if wants and gpus < workers.least:
        raise InputError(_no_gpus(workers, gpus))
    if room(found, asked) < workers.least and room([_grown(ray)], asked) < workers.least:
        there = "; ".join(
            f"{nodes.name_of(node)}: {has.get('CPU', 0):g} CPU, {has.get('GPU', 0):g} GPU"
            for node, has in zip(nodes.alive(ray), found, strict=True)
        )
        raise InputError(
            f"{workers.least} workers of {cpus} CPU{' and a GPU' if wants else ''} each find no room on"
            f" {_where()} ({there}); set train.workers or train.worker_cpus lower"
        )
    return asked


def room(found: Iterable[Mapping[str, float]], asked: Share) -> int:
    """How many workers machines have room for, when nothing else is at work.

    >>> room([{"CPU": 4.0, "GPU": 1.0}, {"CPU": 3.0}], Share(2, False))
    3
    >>> room([{"CPU": 4.0, "GPU": 1.0}, {"CPU": 3.0}], Share(2, True))
    1
    """
    return sum(
        min(int(each.get(name, 0) // wanted) for name, wanted in asked.words.items()) for each in found
    )


def waiting(ray: Any, workers: Workers, asked: Share) -> str:
    """What a training that has not begun yet waits for, in words."""
    free = ray.available_resources()
    has = ", ".join(f"{free.get(name, 0):g} {name}" for name in asked.words)
    each = ", ".join(f"{wanted:g} {name}" for name, wanted in asked.words.items())
    return (
        f"has not begun yet: {workers.least} workers of {each} start, or wait for room on {_where()}, where"
        f" free now are {has}"
    )


def _of_this_machine(workers: Workers) -> int:
    return max(1, (os.cpu_count() or workers.most) // workers.most)


def _grown(ray: Any) -> Mapping[str, float]:
    """What a cluster that grows by itself may come to, as its configuration tells; nothing elsewhere."""
    if not address.is_cluster():
        return {}
    try:
        found = ray._private.state.state.get_max_resources_from_cluster_config()
    except (AttributeError, RuntimeError):
        return {}
    return found or {}


def _no_gpus(workers: Workers, gpus: int) -> str:
    has = "has none" if gpus == 0 else f"has {gpus}"
    wanted = f"{workers.least} GPUs, one a worker" if workers.least > 1 else "a GPU"
    fewer = f", or set train.workers to {gpus}" if gpus else ""
    return (
        f"train.gpu is {workers.gpu} and train.workers {workers.least}, which wants {wanted}; {_where()}"
        f" {has}. Set train.gpu to never to train on processors{fewer}, or send it where there are more"
    )


def _where() -> str:
    return "the Ray cluster" if address.is_cluster() else "this machine"
