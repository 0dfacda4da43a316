"""What one busy process beside it leaves of a training on a Ray of our own: python
benchmarks/beside_other_work.py [--recipe demo] [--rounds 3] [--seconds 10].

Rows take turns, A B A B, each with a Ray of its own: Ray's niceness for its workers (15) and ours (0), both
beside a process of this one's priority that never waits, and ours alone. The worker has all cores' threads
and does steps of the recipe's first phase on photos of chance. Crops a second, medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from on_worker import on_worker

from components import recipes
from components.services.cluster import RayStore
from components.train.training_state import is_whole

NICENESS_VARIABLE = "RAY_worker_niceness"
ROWS = {"nice 15, Ray's": ("15", True), "nice 0, ours": ("0", True), "nothing beside it": ("0", False)}


@dataclass(frozen=True)
class Job:
    """What the worker is given. train: the section of the recipe, as plain words."""

    train: dict[str, Any]
    threads: int
    seconds: float


def crops_a_second(job: Job) -> float:
    """Crops that a worker learns a second."""
    # Inside, so that it travels whole: the workers do not know this file.
    import time

    import torch

    from components.train.config import TrainConfig
    from components.train.step import GanStep
    from components.train.worker_group import World

    torch.set_num_threads(job.threads)
    config = TrainConfig.model_validate(job.train)
    phase, step = config.phases[0], GanStep(config, World.alone(torch.device("cpu")), {})
    batch = torch.rand(phase.batch, 3, phase.crop_px, phase.crop_px) * 2 - 1
    seen, began = 0, time.monotonic()
    while time.monotonic() - began < job.seconds:
        step([(batch, batch)], phase, seen, 1.0)
        seen += phase.batch
    return seen / (time.monotonic() - began)


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """A process that never waits, for the length of a block."""
    if not wanted:
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def main() -> None:
    """Run all rows in turns and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    train = recipes.load(arguments.recipe).train.model_dump(mode="json")
    job = Job(train, os.cpu_count() or 1, arguments.seconds)
    found: dict[str, list[float]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds):
            for place, (name, (niceness, beside)) in enumerate(ROWS.items()):
                os.environ[NICENESS_VARIABLE] = niceness
                with busy(beside):
                    found[name].append(
                        on_worker(
                            crops_a_second,
                            job,
                            store=RayStore(is_whole),
                            name=f"row-{place}-{turn}",
                            folder=Path(folder),
                        )
                    )
    print(f"{arguments.recipe}, {platform.machine()}, {job.threads} threads on {os.cpu_count()} cores")
    print("| row | crops a second | least | most |\n| --- | ---: | ---: | ---: |")
    for name, rates in found.items():
        print(f"| {name} | {statistics.median(rates):.1f} | {min(rates):.1f} | {max(rates):.1f} |")


if __name__ == "__main__":
    main()
