"""The training loop: phases, readings, validation, states. Knows nothing of Ray, MLflow or where it
runs.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from components.metrics import METRICS
from components.train.config import Phase, TrainConfig
from components.train.data import Data, refuse_small, refuse_unvalidated, steps, to_net
from components.train.health import of_terms
from components.train.on_the_fly import training_set
from components.train.progress import TrainingProgress
from components.train.readings import Readings
from components.train.step import Batch, GanStep
from components.train.validate import Picture, Validation, validate
from components.train.worker_group import World


class Store(Protocol):
    """Where the state goes; every worker calls save at the same moment, all but the leader with
    None.
    """

    def load(self) -> bytes | None:
        """The newest state, None at the start."""
        ...

    def save(self, state: bytes | None, images_seen: int) -> None:
        """Keep a state as the newest."""
        ...


class Observer(Protocol):
    """Who is told what happens; only the leader's is."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Readings at a position."""
        ...

    def picture(self, picture: Picture, images_seen: int) -> None:
        """A validation picture at a position."""
        ...

    def begin(self, images_seen: int) -> None:
        """The training starts, or goes on from there."""
        ...

    def advance(self, images: int, note: str) -> None:
        """So many more images are done."""
        ...

    def warn(self, words: str) -> None:
        """Something looks wrong; the training goes on."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a training ended. diverged: what ran away, in words; None when all went well."""

    images_seen: int
    diverged: str | None


def longest(config: TrainConfig, pairs: int) -> int:
    """Images that all phases take together when none is stopped early."""
    return sum(phase.length_images(pairs) for phase in config.phases)


class Loop:
    """One training on one worker. `run` goes on from the store's newest state to the end."""

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        world: World,
        store: Store,
        observer: Observer,
        weights: Mapping[int, Path],
    ) -> None:
        refuse_small(data.train, config, "training")
        refuse_unvalidated(data, config)
        self.config, self.data, self.world, self.store, self.observer = config, data, world, store, observer
        self.step = GanStep(config, world, weights)
        self.progress = TrainingProgress(config)
        self.readings = Readings(world)
        # what a rollback goes back to; every worker holds the same nets, so each keeps its own
        self._healthy = b""

    def run(self) -> Outcome:
        """Train to the end of the last phase, or to the point where it diverged."""
        kept = self.store.load()
        if kept is not None:
            self._take(kept)
        if self.world.leads:
            self.observer.begin(self.progress.images_seen)
        if kept is None and self.data.val:
            self._validate()
        if self.config.rollback is not None:
            self._healthy = self._state()
        while (phase := self.progress.current) is not None:
            trouble = self._run_phase(phase)
            if trouble and not self._roll_back(trouble):
                return Outcome(self.progress.images_seen, trouble)
        return Outcome(self.progress.images_seen, None)

    def _run_phase(self, phase: Phase) -> str | None:
        """Train one phase from where it stands; gives the trouble in words when it diverged."""
        self.step.generator.train()
        progress, start = self.progress, self.progress.phase_start
        stop = start + phase.length_images(len(self.data.train))
        batches = self._loader(phase, stop)
        self.readings = Readings(self.world)
        over = False
        while not over:
            began = time.perf_counter()
            loaded = next(batches)
            waited = time.perf_counter() - began
            done = (progress.images_seen - start) / (stop - start)
            lr_factor = phase.schedule.factor(done) * progress.lr_factor
            terms = self.step(self._batches(loaded, phase), phase, progress.images_seen, lr_factor, done=done)
            self.readings.add(terms, phase.batch, waited)
            before, progress.images_seen = progress.images_seen, progress.images_seen + phase.batch
            over = progress.images_seen >= stop
            saves = (
                over
                or progress.images_seen // self.config.validate_every > before // self.config.validate_every
            )
            if saves or self.step.steps_done % self.config.log_every == 0:
                values = self.readings.read() | {
                    "learning_rate/generator": self.config.generator_optimizer.lr * lr_factor
                }
                if phase.adversarial:
                    values["learning_rate/discriminator"] = self.config.discriminator_optimizer.lr * lr_factor
                if trouble := self._trouble(values) or self._complaints(values | of_terms(values)):
                    return trouble
            if self.world.leads:
                self.observer.advance(phase.batch, "")
            if saves:
                over, trouble = self._save(over)
                if trouble:
                    return trouble
        return None

    def _loader(self, phase: Phase, stop: int) -> Iterator[list[torch.Tensor]]:
        reuses = self.config.discriminator_reuse or not phase.adversarial
        return steps(
            training_set(self.data, self.config, phase.crop_px, self.world.device),
            start=self.progress.images_seen,
            stop=stop,
            batch=phase.batch,
            updates=1 if reuses else self.config.discriminator_updates,
            rank=self.world.rank,
            size=self.world.size,
            processes=self.config.loader_processes,
            pin=self.world.device.type == "cuda",
        )

    def _batches(self, loaded: Sequence[torch.Tensor], phase: Phase) -> list[Batch]:
        """The loader's uint8 images as the step wants them: one (input, target) per update."""
        input, target = (to_net(picture, self.world.device) for picture in loaded)
        if self.config.channels_last:
            input, target = (
                picture.contiguous(memory_format=torch.channels_last) for picture in (input, target)
            )
        done = phase.batch // self.world.size
        return list(zip(torch.split(input, done), torch.split(target, done), strict=True))

    def _trouble(self, values: Mapping[str, float]) -> str | None:
        for name, value in values.items():
            if not math.isfinite(value) or (name.endswith("/total") and abs(value) > self.config.loss_limit):
                return (
                    f"{name} was {value:.4g} within the last {self.config.log_every} steps before image"
                    f" {self.progress.images_seen}"
                )
        return None

    def _complaints(self, values: Mapping[str, float]) -> str | None:
        """Log the values and say what is beyond its limit; gives the words when a rollback is to
        follow.
        """
        fatal = None
        if self.world.leads:
            self.observer.scalars(values, self.progress.images_seen)
        # What an untrained net shows is no sign of anything.
        for complaint in self.progress.watch.look(values) if self.progress.images_seen else ():
            if self.world.leads:
                self.observer.warn(f"at image {self.progress.images_seen}: {complaint.words}")
            if self.config.rollback is not None and complaint.name in self.config.rollback.on:
                fatal = complaint.words
        return fatal

    def _roll_back(self, trouble: str) -> bool:
        """Go back to the last healthy state with lower rates; False when that is switched off or
        was done too often.
        """
        settings, done = self.config.rollback, self.progress.rollbacks
        if settings is None or done >= settings.most:
            return False
        at = self.progress.images_seen
        self._take(self._healthy)
        self.progress.rollbacks = done + 1
        if self.world.leads:
            self.observer.begin(self.progress.images_seen)
            lr_factor = f"the learning rates times {self.progress.lr_factor:.3g}"
            self.observer.warn(
                f"at image {at}: {trouble}; back to image {self.progress.images_seen} with {lr_factor}"
                f" (rollback {done + 1} of {settings.most})"
            )
        return True

    def _save(self, over: bool) -> tuple[bool, str | None]:
        """Validate, then keep the state: only healthy ones come here. Gives whether the phase is
        over, and trouble in words.

        While a sign that may roll back is beyond its limit, no state is kept: it would be ill
        already. The end is kept as it is.
        """
        if self.data.val:
            found, trouble = self._validate()
            if trouble:
                return over, trouble
            over = self.progress.discriminator(
                found.scores, self.step.average, over=over, by_group=found.by_group
            )
        if over:
            self.progress.next_phase()
        self.readings = Readings(self.world)
        settings = self.config.rollback
        if (
            settings is not None
            and self.progress.watch.doubts(settings.on)
            and self.progress.current is not None
        ):
            return over, None
        state = self._state() if self.world.leads or self.config.rollback is not None else None
        self._healthy = state if state is not None and self.config.rollback is not None else b""
        self.store.save(state if self.world.leads else None, self.progress.images_seen)
        return over, None

    def _validate(self) -> tuple[Validation, str | None]:
        """Log the averaged generator's scores on the validation pairs, and a sheet; gives them, and
        trouble in words.
        """
        found = validate(self.config, self.step.average, self.data, self.world)
        trouble = self._complaints(found.scores)
        if self.world.leads:
            main = self.config.validate_metrics[0]
            self.observer.advance(
                0,
                f"validation gain {METRICS[main].text(found.scores[f'validation/{main}_gain'], signed=True)}",
            )
            if found.sheet is not None:
                self.observer.picture(found.sheet, self.progress.images_seen)
        return found, trouble

    def _state(self) -> bytes:
        return write_state({"progress": self.progress.state(), "step": self.step.state()})

    def _take(self, state: bytes) -> None:
        plain = read_state(state)
        self.step.load_state(plain["step"])
        self.progress.load_state(plain["progress"])


def write_state(state: Mapping[str, Any]) -> bytes:
    """A state as bytes that `read_state` opens without pickle's powers."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()


def read_state(data: bytes) -> dict[str, Any]:
    """What `write_state` wrote; weights_only, so nothing in it can run."""
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state
