"""What the tests of a joined cluster run, each in a process of its own: Ray reads its token when it is
imported. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.core import stopping
from components.core.errors import RefocusError
from components.core.progress import Progress
from components.services import cluster
from components.services.cluster import Workers, resources

WATCHED = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_URI", "TORCH_HOME")
ROOMS = {
    "a GPU each for two": Workers(2, 2, gpu="require"),
    "auto for two": Workers(2, 2),
    "auto for one": Workers(1, 1),
    "one to three": Workers(1, 3, gpu="require"),
    "never": Workers(2, 2, gpu="never"),
    "five processors": Workers(1, 1, gpu="never", cpus=5),
    "two processors for two": Workers(2, 2, gpu="never", cpus=2),
    "two processors for three": Workers(3, 3, gpu="never", cpus=2),
}


def who() -> list[dict[str, str]]:
    """What workers see."""

    def seen(item: int) -> Iterator[dict[str, str]]:
        import components

        yield {"code": str(components.__file__), **{name: os.environ.get(name, "") for name in WATCHED}}

    return list(cluster.map_in_order(seen, range(3), megabytes=[1.0] * 3, workers=2, title="who"))


def rooms() -> dict[str, str]:
    """What each wish gets, or why not."""
    told = {}
    with cluster.ray_started(1) as ray:
        for name, wish in ROOMS.items():
            try:
                share = resources.share(ray, wish)
                told[name] = f"{share.cpus} CPU{' and a GPU' if share.gpu else ''}"
            except RefocusError as error:
                told[name] = str(error)
    return told


def counted(storage: str) -> list[int]:
    """Two workers count to thirty, each number a state, or one where there is no room any more; gives how
    many they were at the end, and from which number they went on.
    """
    from components.services.cluster import RayStore, run_on_workers

    with cluster.ray_started(1) as ray:  # who was here before may still hold a place
        until = time.monotonic() + 120
        while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
            assert time.monotonic() < until, ray.available_resources()
            time.sleep(0.5)
    store = RayStore(bytes.isdigit)

    def count(job: dict[str, Any]) -> list[int]:
        import ray.train

        first = number = int(store.load() or b"0")
        context = ray.train.get_context()
        if not first:
            Path(storage, f"begun-{context.get_world_size()}").touch()
        while number < 30:
            number += 1
            time.sleep(0.3)
            store.save(str(number).encode() if context.get_world_rank() == 0 else None, number)
        return [context.get_world_size(), first]

    with Progress("count", 30) as bar:
        found, last = run_on_workers(
            count,
            lambda threads, mailed: {},
            store=store,
            name="count",
            storage=storage,
            workers=Workers(1, 2, gpu="never", cpus=2, placement="spread", counts=(1, 2)),
            retries=2,
            bar=bar,
        )
    assert last == b"30"
    return found


def evaluated(pairs: str, checkpoint: str, out: str) -> dict[str, Any]:
    """A report by whom the cluster has for it, beside one of this process."""
    import torch

    from components.core.own_process import in_own_process
    from components.core.records import Checkpoint, PairSet
    from components.evaluate.config import EvaluateConfig
    from components.evaluate.run import run
    from components.registry.measured import of_weights

    torch.set_num_threads(3)  # the nodes have one
    found = {}
    for gpu in ("auto", "never"):
        config = EvaluateConfig(metrics=("psnr_rgb",), sheets=("best",), gpu=gpu)
        place = Path(out) / gpu
        report = run(config, PairSet.load(Path(pairs)), Checkpoint.load(Path(checkpoint)), out=place)
        files = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
        found[gpu] = {"threads": report.about["threads"], "restored": report.restored, "files": files}
    how = EvaluateConfig().conditions
    told = in_own_process(of_weights, Path(checkpoint), "0" * 64, Path(pairs), ("psnr_rgb",), how)
    assert told is not None, "the cluster has a GPU"
    (score,) = told[0]
    return found | {"weights": {"restored": dict(score.restored), "place": told[1]}}


def until_asked(storage: str, hears: str) -> None:
    """A worker counts until the end is asked for, then keeps its number; a deaf one counts on."""
    from components.services.cluster import MailedProgress, RayStore, ending, run_on_workers

    stopping.heed()
    ending.PATIENCE_S = 3600.0  # whoever ends sooner was asked twice, or was heard
    store, deaf = RayStore(bytes.isdigit), hears == "deaf"

    def count(mail: MailedProgress) -> None:
        number = 0
        mail.begin(number)
        with mail.listening() as asked:
            while deaf or not asked():
                number += 1
                Path(storage, "counts").touch()
                time.sleep(0.1)
        store.save(str(number).encode(), number)

    with Progress("count", 30) as bar:
        run_on_workers(
            count,
            lambda threads, mailed: mailed,
            store=store,
            name=hears,
            storage=storage,
            workers=Workers(1, 1, gpu="never"),
            retries=2,
            bar=bar,
        )


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
