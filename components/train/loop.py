"""The training loop: phases, readings, validation, states. Knows nothing of Ray, MLflow or where it runs."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from components.core.records import Pair
from components.train.config import Phase, TrainConfig
from components.train.data import PairDataset, refuse_small, steps, to_net
from components.train.step import Batch, GanStep, Terms
from components.train.validate import Picture, validate
from components.train.world import World


class Store(Protocol):
    """Where the state goes; every worker calls save at the same moment, all but the leader with None."""

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


@dataclass(frozen=True)
class Data:
    """The pairs to train on and to validate with, and where they lie."""

    folder: Path
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]


@dataclass(frozen=True)
class Outcome:
    """How a training ended. diverged: what ran away, in words; None when all went well."""

    images_seen: int
    diverged: str | None


def spans(config: TrainConfig, pairs: int) -> list[tuple[Phase, int, int]]:
    """Each phase with the positions (in images) where it begins and ends."""
    found, start = [], 0
    for phase in config.phases:
        stop = start + phase.length_images(pairs)
        found.append((phase, start, stop))
        start = stop
    return found


class Readings:
    """Sums of what the steps gave, kept on the device until somebody reads their means."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sums: Terms = {}
        self._steps, self._images = 0, 0
        self._waited, self._since = 0.0, time.perf_counter()

    def add(self, terms: Terms, images: int, waited: float) -> None:
        """Take in one step's terms; waited: seconds the step stood still for data."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps, self._images, self._waited = self._steps + 1, self._images + images, self._waited + waited

    def read(self) -> dict[str, float]:
        """Means over the steps and workers since the last reading, with speed and the share of time spent waiting for data."""
        if not self._steps:
            return {}
        names = sorted(self._sums)
        means = torch.stack([self._sums[name].float() for name in names]) / self._steps
        self._world.average([means])
        values = dict(zip(names, means.tolist(), strict=True))
        seconds = time.perf_counter() - self._since
        values |= {"speed/images_per_second": self._images / seconds, "speed/data_wait_share": self._waited / seconds}
        self._sums, self._steps, self._images = {}, 0, 0
        self._waited, self._since = 0.0, time.perf_counter()
        return values


class Loop:
    """One training on one worker. `run` goes on from the store's newest state to the end."""

    def __init__(self, config: TrainConfig, data: Data, world: World, store: Store, observer: Observer, weights: Mapping[int, Path]) -> None:
        refuse_small(data.train, config.phases, "training")
        self.config, self.data, self.world, self.store, self.observer = config, data, world, store, observer
        self.step = GanStep(config, world, weights)
        self.images_seen = 0
        self.readings = Readings(world)

    def run(self) -> Outcome:
        """Train to the end of the last phase, or to the point where it diverged."""
        kept = self.store.load()
        if kept is not None:
            state = read_state(kept)
            self.step.load_state(state["step"])
            self.images_seen = state["images_seen"]
        if self.world.leads:
            self.observer.begin(self.images_seen)
        if kept is None and self.data.val:
            self._validate()
        for phase, start, stop in spans(self.config, len(self.data.train)):
            if self.images_seen < stop and (trouble := self._run_phase(phase, start, stop)):
                return Outcome(self.images_seen, trouble)
        return Outcome(self.images_seen, None)

    def _run_phase(self, phase: Phase, start: int, stop: int) -> str | None:
        """Train one phase from where it stands; gives the trouble in words when it diverged."""
        self.step.generator.train()
        dataset = PairDataset(self.data.folder, self.data.train, self.config.seed, self.config.augment, phase.crop_px)
        batches = steps(
            dataset,
            start=self.images_seen,
            stop=stop,
            batch=phase.batch,
            updates=self.config.discriminator_updates if phase.adversarial else 1,
            rank=self.world.rank,
            size=self.world.size,
            processes=self.config.loader_processes,
            pin=self.world.device.type == "cuda",
        )
        self.readings = Readings(self.world)
        while self.images_seen < stop:
            began = time.perf_counter()
            loaded = next(batches)
            waited = time.perf_counter() - began
            rate = phase.schedule.factor((self.images_seen - start) / (stop - start))
            self.readings.add(self.step(self._batches(loaded, phase), phase, self.images_seen, rate), phase.batch, waited)
            before, self.images_seen = self.images_seen, self.images_seen + phase.batch
            saves = self.images_seen // self.config.validate_every > before // self.config.validate_every or self.images_seen >= stop
            if saves or self.step.steps_done % self.config.log_every == 0:
                values = self.readings.read() | {"rate/generator": self.config.generator_optimizer.lr * rate}
                if phase.adversarial:
                    values["rate/discriminator"] = self.config.discriminator_optimizer.lr * rate
                if trouble := self._trouble(values):
                    return trouble
                self._tell(values)
            if self.world.leads:
                self.observer.advance(phase.batch, "")
            if saves:
                self._save()
        return None

    def _batches(self, loaded: Sequence[torch.Tensor], phase: Phase) -> list[Batch]:
        """The loader's uint8 images as the step wants them: one (blurred, sharp) per update."""
        blurred, sharp = (to_net(picture, self.world.device) for picture in loaded)
        if self.config.channels_last:
            blurred, sharp = (picture.contiguous(memory_format=torch.channels_last) for picture in (blurred, sharp))
        share = phase.batch // self.world.size
        return list(zip(torch.split(blurred, share), torch.split(sharp, share), strict=True))

    def _trouble(self, values: Mapping[str, float]) -> str | None:
        for name, value in values.items():
            if not math.isfinite(value) or (name.endswith("/total") and abs(value) > self.config.loss_limit):
                return f"{name} was {value:.4g} within the last {self.config.log_every} steps before image {self.images_seen}"
        return None

    def _tell(self, values: Mapping[str, float]) -> None:
        if self.world.leads:
            self.observer.scalars(values, self.images_seen)

    def _save(self) -> None:
        """Validate, then keep the state: only healthy ones come here."""
        if self.data.val:
            self._validate()
        self.store.save(write_state(self.step, self.images_seen) if self.world.leads else None, self.images_seen)
        self.readings = Readings(self.world)

    def _validate(self) -> None:
        pairs = self.data.val[: self.config.validate_pairs]
        scores, picture = validate(self.step.average, self.config.generator.stride, self.data.folder, pairs, self.world)
        self._tell(scores)
        if self.world.leads:
            self.observer.advance(0, f"validation gain {scores['validation/psnr_rgb_gain']:+.2f} dB")
            if picture is not None:
                self.observer.picture(picture, self.images_seen)


def write_state(step: GanStep, images_seen: int) -> bytes:
    """The state as bytes that `read_state` opens without pickle's powers."""
    buffer = io.BytesIO()
    torch.save({"images_seen": images_seen, "step": step.state()}, buffer)
    return buffer.getvalue()


def read_state(data: bytes) -> dict[str, Any]:
    """What `write_state` wrote; weights_only, so nothing in it can run."""
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state
