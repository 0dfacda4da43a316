"""What a worker trains on, and how it gets there: from this machine's disk, or from the team's store
by content, where the worker may be on any machine.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.core.errors import InputError
from components.core.files import state_folder
from components.core.records import PairSet
from components.metrics import METRICS
from components.nets.weights_files import first_here, put
from components.services import tracking
from components.services.cluster import is_cluster, other_machines
from components.services.content import ContentStore, fetch_pairs, send_pairs
from components.services.content.places import store_of_nodes
from components.train.config import TrainConfig
from components.train.data import Data

Weights = Mapping[int, Path]  # files of pretrained weights by place among the content losses


class Inputs(Protocol):
    """Pairs and pretrained weights, as they cross to a worker."""

    def open(self) -> tuple[Data, Weights]:
        """Both, on the machine that this is called on."""
        ...


@dataclass(frozen=True)
class OnThisMachine:
    """Paths, for workers on the disk that they belong to."""

    pairs: Path
    weights: Weights

    def open(self) -> tuple[Data, Weights]:
        """The pairs from their folder."""
        return Data.of(PairSet.load(self.pairs)), self.weights


@dataclass(frozen=True)
class InStore:
    """Digests: of the pair set, of weights by place among the content losses, and of the files that
    metrics need, by their names (nets/weights_files.py).
    """

    pairs: str
    weights: Mapping[int, str]
    metrics: Mapping[str, str]

    def open(self) -> tuple[Data, Weights]:
        """The pairs, whose pictures come from this machine's cache or the store; weights from the
        cache. Raises LineageError when the store has others, NoRoomError when the cache is full.
        """
        store = ContentStore.needed("no store is known on this worker's node")
        weights = {place: store.fetch_file(sha256) for place, sha256 in self.weights.items()}
        files = {name: functools.partial(store.fetch_file, sha256) for name, sha256 in self.metrics.items()}
        put(files, state_folder() / "torch")
        return Data.of(fetch_pairs(store, self.pairs)), weights


def inputs_for(config: TrainConfig, pairset: PairSet, weights: Weights) -> Inputs:
    """How the workers of a Ray that has been joined get pairs and weights; sent to the store, once,
    when it is a cluster.

    Raises InputError when other machines belong to the cluster and no store is named.
    """
    if not is_cluster():
        return OnThisMachine(pairset.folder, weights)
    others = other_machines()
    if others and tracking.is_on_this_machine():
        raise InputError(
            f"the Ray cluster has other machines ({', '.join(others[:3])}), which cannot reach the tracking"
            f" file {tracking.shown_uri()}; set MLFLOW_TRACKING_URI to an MLflow server"
        )
    store = store_of_nodes(f"the pairs at {pairset.folder}")
    if store is not None:
        return InStore(
            send_pairs(store, pairset),
            {place: store.send_file(path) for place, path in weights.items()},
            {name: store.send_file(path) for name, path in _files_of_metrics(config).items()},
        )
    return OnThisMachine(pairset.folder, weights)


def _files_of_metrics(config: TrainConfig) -> dict[str, Path]:
    names = (METRICS[name].weights for name in config.validate_metrics)
    return dict(filter(None, map(first_here, names)))
