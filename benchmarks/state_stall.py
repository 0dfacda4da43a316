"""How long a Ray worker's training stands still for each state it keeps: python benchmarks/state_stall.py
[--recipe demo] [--rounds 3] [--states 6] [--between 1.0].

Rows take turns, A B C A B C, each with a Ray of its own: before (Ray looks at its workers every 2 s, and
the training waits for each state), with a look every half second, and now (also written by another
thread). The worker holds the recipe's nets and optimisers, works for a drawn time around `between` seconds,
keeps its state, and again; nothing is learned. A ratio is the median of the rounds' own ratios. Where the
machine is busy, all rows are too long, the last most of all, and the ratio too low.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from on_worker import on_worker

from components import recipes
from components.services.cluster import RayStore
from components.train.training_state import is_whole

LOOK_VARIABLE = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
BEFORE, NOW = "before", "now"
ROWS = {BEFORE: ("2.0", False), "a look every 0.5 s": ("0.5", False), NOW: ("0.5", True)}


@dataclass(frozen=True)
class Job:
    """What the worker is given. train: the section of the recipe, as plain words."""

    train: dict[str, Any]
    store: RayStore
    states: int
    between_s: float


def stalls(job: Job) -> list[float]:
    """Seconds that each state took from the training, in a worker."""
    # Inside, so that it travels whole: the workers do not know this file.
    import random
    import time

    import torch

    from components.train.config import TrainConfig
    from components.train.step import GanStep
    from components.train.training_progress import TrainingProgress
    from components.train.training_state import TrainingState
    from components.train.worker_group import World

    class Silent:
        def __getattr__(self, name: str) -> Any:
            return lambda *given: None

    config, world = TrainConfig.model_validate(job.train), World.alone(torch.device("cpu"))
    progress = TrainingProgress(config)
    state = TrainingState(config, GanStep(config, world, {}), progress, world, job.store, Silent())
    drawn, found, picture = random.Random(5), [], torch.rand(512, 512)
    for _ in range(job.states):
        until = time.perf_counter() + job.between_s * drawn.uniform(0.5, 1.5)
        while time.perf_counter() < until:
            picture = (picture @ picture).clamp(0, 1)
        progress.images_seen += 1
        began = time.perf_counter()
        state.keep_between()
        found.append(time.perf_counter() - began)
    state.finish()
    return found


def main() -> None:
    """Run all rows in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--states", type=int, default=6)
    parser.add_argument("--between", type=float, default=1.0)
    arguments = parser.parse_args()
    # The perceptual loss has nothing in a state.
    train = recipes.load(arguments.recipe).train.model_dump(mode="json") | {"content": [{"kind": "l1"}]}
    times: dict[str, list[list[float]]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds):
            for name, (look, in_background) in ROWS.items():
                os.environ[LOOK_VARIABLE] = look
                store = RayStore(is_whole)
                store.in_background = in_background
                job = Job(train, store, arguments.states, arguments.between)
                times[name].append(
                    on_worker(stalls, job, store=store, name=f"{name[:3]}-{turn}", folder=Path(folder))
                )
                shown = " ".join(f"{one:.3f}" for one in times[name][-1])
                print(f"round {turn}, {name}: {shown}", flush=True)
    print(
        f"recipe {arguments.recipe}, {arguments.rounds} rounds, {platform.machine()}, {os.cpu_count()} cores"
    )
    print("| row | a state, median s | most s | before / row |\n|---|---|---|---|")
    for name, rounds in times.items():
        every = [one for found in rounds for one in found]
        pairs = zip(times[BEFORE], rounds, strict=True)
        ratio = statistics.median(sum(before) / sum(row) for before, row in pairs)
        print(f"| {name} | {statistics.median(every):.3f} | {max(every):.3f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
