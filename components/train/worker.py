"""What each worker of a training does: the loop on its local batch, the leader logging to MLflow."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Self

import torch

from components.core.memory import keeping_freed
from components.core.progress import Progress
from components.core.records import RecipeRecord
from components.nets.devices import device_for
from components.services import tracking
from components.services.cluster import MailedProgress, assigned_device
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.fitting import croppable
from components.train.inputs import Inputs, Weights
from components.train.loop import Loop, Outcome
from components.train.precision import computing
from components.train.protocols import Store
from components.train.validate import Picture
from components.train.warm_start import Parent, ParentInStore, replayed
from components.train.worker_group import World

UNWRITTEN = 100  # readings and pictures on their way to MLflow


@dataclass(frozen=True)
class TrainingJob:
    """All that crosses to a worker.

    inputs: pairs and pretrained weights; key: content key of the training; threads: of a Ray worker,
    None in a process of our own, which leaves them as they are; parent: the model to start from.
    """

    config: TrainConfig
    recipe: RecipeRecord
    inputs: Inputs
    key: str
    store: Store
    bar: Progress | MailedProgress
    threads: int | None = None
    parent: Parent | ParentInStore | None = None


def train_on_worker(job: TrainingJob) -> Outcome:
    """Train to the end, or to where it diverged; every worker calls it with the same job."""
    config = job.config
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    world = World.of_process_group(_device(config, by_ray=job.threads is not None))
    data, weights = job.inputs.open()
    data, _ = croppable(data, config)
    parent = job.parent.open() if job.parent is not None else None
    if parent is not None:
        mixed = replayed(data.train, parent.photos, config.replay)
        targets = replayed(data.targets, parent.photos, config.replay)
        data = replace(data, train=mixed, targets=targets)  # type: ignore[arg-type]
    data.keep(config.validate_pairs, config.generator.window)
    with computing(config.precision, deterministic=config.deterministic), keeping_freed():
        outcome = _trained(job, config, data, world, weights, parent)
    return replace(outcome, computed=_how(config, world.device))


def _trained(
    job: TrainingJob, config: TrainConfig, data: Data, world: World, weights: Weights, parent: Parent | None
) -> Outcome:
    """The loop to its end, with the leader's words to MLflow and the bar."""
    recipe, pairset, bar = job.recipe, data.pairset, job.bar
    if not world.leads:
        return Loop(config, data, world, job.store, _Silent(), weights, parent).run()
    # The run's parameters are the recipe; where it ran is a tag.
    tags = {
        "refocus.stage": "train",
        "workers": str(world.size),
        "device": str(world.device),
    } | _experiment_tags()
    dvc = recipe.about.get("dvc")
    md5 = str(dvc["pairs"]) if isinstance(dvc, dict) and "pairs" in dvc else pairset.digest
    dataset = ("pairs", md5, f"pairs of recipe {recipe.name}, digest {pairset.digest}")
    with tracking.open_training(
        job.key, recipe=recipe.name, params=recipe.sections, tags=tags, dataset=dataset
    ) as logged:
        listening = bar.listening() if isinstance(bar, MailedProgress) else nullcontext(lambda: False)
        with _Logged(logged, bar) as observer, listening as asked:
            outcome = Loop(config, data, world, job.store, observer, weights, parent, asked).run()
        if outcome.diverged is not None:
            logged.close("FAILED")
        elif outcome.stopped:
            logged.close("KILLED")
    return outcome


def _how(config: TrainConfig, device: torch.device) -> dict[str, str | bool]:
    """On what and in which arithmetic it was computed, for the record."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
    return {"device": name, "precision": config.precision, "deterministic": config.deterministic}


def _device(config: TrainConfig, *, by_ray: bool) -> torch.device:
    """The device that Ray reserved for this worker; in a process of our own the machine's."""
    if by_ray:
        return torch.device(assigned_device())
    return device_for(config.gpu, "train.gpu")


def _experiment_tags() -> dict[str, str]:
    """The names DVC gives a stage that runs inside `dvc exp run`."""
    return {
        name.lower().replace("_", ".", 1): os.environ[name]
        for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
        if name in os.environ
    }


class _Silent:
    """Nobody listens to the workers that do not lead."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Not kept."""

    def picture(self, picture: Picture, images_seen: int) -> None:
        """Not kept."""

    def begin(self, images_seen: int) -> None:
        """Not shown."""

    def advance(self, images: int, note: str) -> None:
        """Not shown."""

    def warn(self, words: str) -> None:
        """Not said: the leader says it."""


class _Logged:
    """The leader's readings go to MLflow, its progress to the bar.

    Another thread writes to MLflow, in order: a step never waits for a server. Leaving the block waits
    until all is written.
    """

    def __init__(self, logged: tracking.TrainingRun, bar: Progress | MailedProgress) -> None:
        self._logged, self._bar = logged, bar
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        self._room = threading.BoundedSemaphore(UNWRITTEN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown(wait=True)

    def _write(self, work: Callable[[], None]) -> None:
        """Let it be written; waits where too much is unwritten already, so that memory stays bounded."""
        self._room.acquire()
        self._writer.submit(work).add_done_callback(lambda _: self._room.release())

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Log readings; the step is images seen."""
        kept = dict(values)
        self._write(lambda: self._logged.log_metrics(kept, images_seen))

    def picture(self, picture: Picture, images_seen: int) -> None:
        """Log a validation picture: blurred | restored | sharp."""
        self._write(lambda: self._logged.log_picture("validation", picture, images_seen))

    def begin(self, images_seen: int) -> None:
        """Set the bar where the training goes on."""
        self._bar.begin(images_seen)

    def advance(self, images: int, note: str) -> None:
        """Move the bar."""
        self._bar.advance(images, note)

    def warn(self, words: str) -> None:
        """Say it beside the bar, and in the run's tag `health`, one line a warning."""
        self._bar.warn(words)
        self._write(lambda: self._logged.add_line("health", words))
