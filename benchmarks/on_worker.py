"""One function on one worker of a Ray of its own, for benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from components.core.progress import Progress
from components.services.cluster import RayStore, Workers, run_on_workers

Job = TypeVar("Job")
Result = TypeVar("Result")


def on_worker(
    function: Callable[[Job], Result], job: Job, *, store: RayStore, name: str, folder: Path
) -> Result:
    """What the function gives there. name: of the run, another one each time; folder: for its states."""
    with Progress(function.__name__, 1) as bar:
        found, _ = run_on_workers(
            function,
            lambda threads, mailed: job,
            store=store,
            name=name,
            storage=str(folder),
            workers=Workers(1, 1, gpu="never"),
            retries=0,
            bar=bar,
        )
    return found
