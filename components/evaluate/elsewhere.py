"""Measuring on a cluster's node with a GPU, from one without: pairs and weights go there by content, as
a training's do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from components.core.files import state_folder
from components.core.gpu import Gpu
from components.core.records import PairSet
from components.metrics import METRICS, SET_METRICS
from components.nets.weights_files import first_here, put
from components.services import cluster
from components.services.content import ContentStore, fetch_pairs, send_pairs
from components.services.content.places import store_of_nodes

Result = TypeVar("Result")
Work = Callable[[PairSet, Path], Result]  # with the pairs, and the folder of a generator or checkpoint


@dataclass(frozen=True)
class _Sent(Generic[Result]):
    """Work with what it takes: digests in the store, or folders where the cluster is this machine alone.

    files: SHA-256 of those that metrics need, by their names (nets/weights_files.py).
    """

    work: Work[Result]
    pairs: str | Path
    weights: str | Path
    files: Mapping[str, str]

    def do(self) -> Result:
        """The work, on the machine that this is called on."""
        if isinstance(self.pairs, Path) or isinstance(self.weights, Path):
            return self.work(PairSet.load(Path(self.pairs)), Path(self.weights))
        store = ContentStore.needed("no store is known on this worker's node")
        files = {name: functools.partial(store.fetch_file, sha256) for name, sha256 in self.files.items()}
        put(files, state_folder() / "torch")
        return self.work(fetch_pairs(store, self.pairs), store.fetch_folder(self.weights))


def is_elsewhere(gpu: Gpu) -> bool:
    """Whether a GPU is to be looked for on the cluster's other nodes: none is here, and it may be taken."""
    if gpu == "never" or not cluster.is_joined():
        return False
    import torch

    return not torch.cuda.is_available()


def done_elsewhere(
    work: Work[Result], pairset: PairSet, weights: Path, digest: str, metrics: Sequence[str], gpu: Gpu
) -> tuple[Result] | None:
    """What the work gives on a node with a GPU; None where the cluster has none and it is to be done here.

    work: of a module, so that it can be pickled; weights: the folder that it takes, whose files are
    known by the digest; metrics: by which it measures. Raises InputError where data cannot reach the
    nodes, or a GPU is required and there is none.
    """

    def sent() -> _Sent[Result]:
        store = store_of_nodes(f"the pairs at {pairset.folder}")
        if store is None:
            return _Sent(work, pairset.folder, weights, {})
        store.send_folder(weights, digest)
        names = (metric.weights for name, metric in (METRICS | SET_METRICS).items() if name in metrics)
        files = dict(filter(None, map(first_here, names)))
        by_hash = {name: store.send_file(path) for name, path in files.items()}
        return _Sent(work, send_pairs(store, pairset), digest, by_hash)

    return cluster.on_gpu_node(_Sent.do, sent, gpu)
