"""The door of Ray: start it, map a function over many items, run the training function on N
workers.

A laptop starts its own Ray inside the stage's process and ends it there; with RAY_ADDRESS set, the
stage joins that cluster. Workers get the environment they need explicitly: a variable set in the
driver does not reach a running cluster.

start.py      join or start Ray, and what its workers are given
map.py        a function over many items
training.py   a training on N workers, and its states
progress.py   a bar that workers on other machines move
"""

from components.services.cluster.map import map_in_order
from components.services.cluster.progress import MailedProgress
from components.services.cluster.start import ray_started
from components.services.cluster.training import RayStore, StateStore, run_on_workers

__all__ = ["MailedProgress", "RayStore", "StateStore", "map_in_order", "ray_started", "run_on_workers"]
