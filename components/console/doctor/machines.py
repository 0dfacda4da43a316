"""What `refocus doctor` looks at on the machines that compute: GPUs here, and each node of a cluster in
its own place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.console.doctor.findings import Check, Finding
from components.console.doctor.machine import NEED_SHM_MB
from components.core.errors import RefocusError
from components.pipeline.project import Project
from components.services.content.places import shared_places

if TYPE_CHECKING:
    from components.services.cluster.look import Node

MOST_SKEW_S, NEED_DISK_GB = 30.0, 5.0
DRIVER = (
    "install the driver that torch's CUDA wants (nvidia-smi shows which there is), or a build of torch for"
    " that driver; in a container pass the GPU on (--gpus all). train.gpu: never trains on processors"
)


def gpu(project: Project) -> Iterator[Finding]:
    """Whether a GPU that is there can be used."""
    from components.services.cluster import look

    if not look.has_device():
        yield Finding("GPU", "none on this machine: nets are trained on processors")
        return
    usable = look.usable_gpus()
    yield Finding(
        "GPU",
        f"{usable} usable" if usable else "there is one, and torch cannot use it",
        "" if usable else DRIVER,
    )


def nodes(project: Project) -> Iterator[Finding]:
    """Each node of the cluster: versions, GPU, memory for objects, disk, clock, the team's store."""
    from components.services import cluster
    from components.services.cluster import look

    if not cluster.is_cluster():
        return  # a Ray of our own is this machine
    ask = look.look_from_outside if cluster.is_outside() else look.look_at_nodes
    try:
        found = ask(shared_places().get("team's store"))
    except RefocusError as error:
        yield Finding("Ray nodes", "cannot be asked", str(error))
        return
    ours = look.versions_here()
    for node in found:
        yield Finding(f"node {node.name}", about(node), "; ".join(remedies(node, ours)))
    if len(found) > 1 and "team's store" not in shared_places():
        yield Finding(
            "Ray store",
            f"{len(found)} nodes, and no place for data that all of them reach",
            "name a bucket for it (docs/operations.md, day one)",
        )


def about(node: Node) -> str:
    """A node in a line."""
    gpus = f"{node.usable} of {node.offered} GPUs usable" if node.offered or node.device else "no GPU"
    return f"ray {node.versions['ray']}, {gpus}, {node.shm_mb:.0f} MB in /dev/shm, {node.free_gb:.0f} GB free"


def remedies(node: Node, ours: dict[str, str]) -> Iterator[str]:
    """What needs doing about a node. ours: the versions here."""
    from components.services.cluster import look

    other = [
        f"{name} {node.versions.get(name)}, here {value}"
        for name, value in ours.items()
        if node.versions.get(name) != value != look.NONE  # what is not needed here is not compared
    ]
    if other:
        yield f"it has {', '.join(other)}: install the same there (constraints.txt)"
    if node.device and not node.offered:
        yield "it has a GPU that Ray does not give out: start it there with --num-gpus, after its driver"
    if (node.device or node.offered) and node.usable < max(1, node.offered):
        yield f"torch can use {node.usable} of its GPUs there: {DRIVER}"
    if node.shm_mb < NEED_SHM_MB:
        yield f"Ray wants {NEED_SHM_MB} MB in its /dev/shm (--shm-size=1g)"
    if node.free_gb < NEED_DISK_GB:
        yield f"it has {node.free_gb:.1f} GB free, {NEED_DISK_GB:.0f} are needed"
    if abs(node.skew_s) > MOST_SKEW_S:
        yield f"its clock is {node.skew_s:+.0f} s off this one: timedatectl set-ntp true"
    if node.store:
        yield node.store


CHECKS: tuple[Check, ...] = (gpu, nodes)
