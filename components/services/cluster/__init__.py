"""The door of Ray: start it, map a function over many items, run the training function on N
workers.

A laptop starts its own Ray inside the stage's process and ends it there; with RAY_ADDRESS set, the
stage joins that cluster, or is sent to it as a job. Workers get the environment they need
explicitly: a variable set in the driver does not reach a running cluster.

address.py    what RAY_ADDRESS means, and whether a cluster answers there
token.py      the token of a protected cluster; variables sealed with it
start.py      join or start Ray
given.py      what its workers are given
code.py       the run's code as a package; what a node must have in common with the run
nodes.py      the nodes of a cluster, each asked for that
resources.py  GPUs, processors, placement and numbers of workers
map.py        a function over many items
once.py       one piece of work on a node with a GPU
training.py   a training on N workers, and its states; elastic.py, room_left.py, ending.py and
              trouble.py belong to it
progress.py   a bar that workers on other machines move
"""

from components.services.cluster.address import is_cluster, is_outside
from components.services.cluster.map import map_in_order
from components.services.cluster.nodes import other_machines
from components.services.cluster.once import is_joined, on_gpu_node
from components.services.cluster.progress import MailedProgress
from components.services.cluster.resources import Workers
from components.services.cluster.start import ray_started
from components.services.cluster.training import RayStore, StateStore, assigned_device, run_on_workers

__all__ = [
    "MailedProgress",
    "RayStore",
    "StateStore",
    "Workers",
    "assigned_device",
    "is_cluster",
    "is_joined",
    "is_outside",
    "map_in_order",
    "on_gpu_node",
    "other_machines",
    "ray_started",
    "run_on_workers",
]
