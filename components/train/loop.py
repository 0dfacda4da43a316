"""The training loop: phases, readings, validations. Knows nothing of Ray, MLflow or where it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from components.core import stopping
from components.metrics import METRICS
from components.train.config import Phase, TrainConfig
from components.train.data import Data, load_steps, loader_count, to_net
from components.train.ending import EndedError, Ending
from components.train.fitting import refuse_small, refuse_unvalidated
from components.train.on_the_fly import training_set
from components.train.protocols import Observer, Store
from components.train.readings import Readings
from components.train.step import GanStep
from components.train.step.terms import Batch
from components.train.step.weight_average import LastSteps, last_steps
from components.train.training_checks import TrainingChecks, Trouble
from components.train.training_progress import TrainingProgress
from components.train.training_state import TrainingState
from components.train.validate import Validation, validate
from components.train.visits import Visits
from components.train.warm_start import Parent, start_from
from components.train.worker_group import World


@dataclass(frozen=True)
class Outcome:
    """How a training ended. diverged: what ran away, in words; None when all went well. stopped: it was
    asked to end before its end. computed: device, precision and determinism, for the record.
    """

    images_seen: int
    diverged: str | None
    stopped: bool = False
    computed: Mapping[str, str | bool] = field(default_factory=dict)


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
        parent: Parent | None = None,
        asked: Callable[[], bool] = lambda: False,
    ) -> None:
        """asked: whether whoever started this worker asks for the end."""
        refuse_small(data.train, config, "training")
        refuse_unvalidated(data, config)
        self.config, self.data, self.world, self.observer = config, data, world, observer
        self.step, self.parent = GanStep(config, world, weights), parent
        self.progress = TrainingProgress(config)
        self.state = TrainingState(config, self.step, self.progress, world, store, observer)
        self.checks = TrainingChecks(config, self.progress, world, observer)
        self.readings = Readings(world)
        self.asked = asked
        self.baselines: dict[str, list[float]] = {}

    def run(self) -> Outcome:
        """Train to the end of the last phase, to the point where it diverged, or to where it was asked to
        end: with the state kept, it then raises what a signal to this process stands for.
        """
        with stopping.deferred() as own:
            self.ending = Ending(self.world, own, self.asked)
            try:
                return self._run()
            except EndedError:
                return Outcome(self.progress.images_seen, None, stopped=True)
            finally:
                self.state.finish()

    def _run(self) -> Outcome:
        resumed = self.state.resume()
        if not resumed and self.parent is not None:
            start_from(self.step, self.parent)
        if self.world.leads:
            self.observer.begin(self.progress.images_seen)
        if not resumed and self.data.val:
            self._validate()
        self.state.mark_healthy()
        while (phase := self.progress.current) is not None:
            trouble = self._run_phase(phase)
            if trouble and not self.state.roll_back(trouble.words, to_best=trouble.lost):
                return Outcome(self.progress.images_seen, trouble.words)
        return Outcome(self.progress.images_seen, None)

    def _run_phase(self, phase: Phase) -> Trouble | None:
        """Train one phase from where it stands; gives the trouble when it diverged."""
        self.step.train()
        progress, start = self.progress, self.progress.phase_start
        stop = start + phase.length_images(self.data.epoch)
        batches = self._loader(phase, stop)
        self.readings = Readings(self.world)
        over = False
        if progress.validation_due:  # it was ended between the step and its validation
            over, trouble = self._validate_and_keep(progress.images_seen >= stop)
            if trouble:
                return trouble
        while not over:
            self.ending.ask()
            self.state.need_kept()
            began = time.perf_counter()
            loaded = next(batches)
            waited = time.perf_counter() - began
            before = progress.images_seen
            fraction = (before - start) / (stop - start)
            lr_multiplier = phase.lr_multiplier(before - start, stop - start) * progress.lr_multiplier
            terms = self.step(
                self._batches(loaded, phase),
                phase,
                before,
                lr_multiplier,
                phase_fraction=fraction,
                last=self._last_steps(phase, before - start + phase.batch, stop - start),
            )
            self.readings.add(terms, phase.batch, waited)
            progress.images_seen += phase.batch
            over = progress.images_seen >= stop
            every = self.config.validate_every
            validates = over or progress.images_seen // every > before // every
            if validates or self.step.steps_done % self.config.log_every == 0:
                words = self.checks.check_steps(self._values(phase, lr_multiplier))
                if words:
                    return Trouble(words)
                if not validates and self._is_time_for_a_state():
                    self.state.keep_between()
            if self.world.leads:
                self.observer.advance(phase.batch, "")
            progress.validation_due = validates
            if self.ending.is_asked():
                self.state.keep_between()
                raise EndedError
            if validates:
                over, trouble = self._validate_and_keep(over)
                if trouble:
                    return trouble
        return None

    def _is_time_for_a_state(self) -> bool:
        """Whether the leader finds that the last state has been kept long enough ago."""
        due = self.world.leads and self.state.age_s() >= self.config.state_every_s
        return bool(self.world.total(torch.tensor(float(due), device=self.world.device)).item())

    def _last_steps(self, phase: Phase, images: int, length: int) -> LastSteps | None:
        """Where the step that ends at so many of the phase's images stands in the training's last share."""
        phase_share = self.config.average_last if phase is self.config.phases[-1] else 0.0
        return last_steps(phase_share, images, length, phase.batch)

    def _values(self, phase: Phase, lr_multiplier: float) -> dict[str, float]:
        """The readings since the last ones, with the present learning rates."""
        config = self.config
        values = self.readings.read()
        values["learning_rate/generator"] = config.generator_optimizer.lr * lr_multiplier
        if phase.adversarial:
            values["learning_rate/discriminator"] = config.discriminator_optimizer.lr * lr_multiplier
        return values

    def _loader(self, phase: Phase, stop: int) -> Iterator[list[torch.Tensor]]:
        reuses = self.config.discriminator_reuse or not phase.adversarial
        visits = Visits(self.progress.phase_start, phase.batch, self.config.crops_per_visit)
        return load_steps(
            training_set(self.data, self.config, phase.crop_px, self.world.device, visits),
            start=self.progress.images_seen,
            stop=stop,
            batch=phase.batch,
            updates=1 if reuses else self.config.discriminator_updates,
            rank=self.world.rank,
            size=self.world.size,
            processes=loader_count(self.config.loader_processes, self.world.device),
            pin=self.world.device.type == "cuda",
        )

    def _batches(self, loaded: Sequence[torch.Tensor], phase: Phase) -> list[Batch]:
        """The loader's uint8 images as the step wants them: one (input, target) per update."""
        input, target = (to_net(picture, self.world.device) for picture in loaded)
        if self.config.channels_last:
            input, target = (
                picture.contiguous(memory_format=torch.channels_last) for picture in (input, target)
            )
        local = phase.batch // self.world.size
        return list(zip(torch.split(input, local), torch.split(target, local), strict=True))

    def _validate_and_keep(self, over: bool) -> tuple[bool, Trouble | None]:
        """Validate, then keep the state. Gives whether the phase is over, and trouble."""
        self.progress.validation_due = False
        self.checks.need_same_weights([self.step.generator, *self.step.discriminators])
        if self.data.val:
            found, trouble = self._validate()
            if lost := self.progress.lost(found.scores):
                return over, Trouble(lost, lost=True)
            if trouble:
                return over, Trouble(trouble)
            over = self.progress.take_validation(
                found.scores,
                self.step.average,
                further=[mapping.average for mapping in self.step.mappings[1:]],
                over=over,
                by_group=found.by_group,
            )
        if over:
            self.progress.next_phase()
        self.readings = Readings(self.world)
        self.state.keep()
        return over, None

    def _validate(self) -> tuple[Validation, str | None]:
        """Log the averaged generator's scores on the validation pairs, and a sheet; gives them, and
        trouble in words.
        """
        found = validate(self.config, self.step.average, self.data, self.world, self.baselines)
        trouble = self.checks.check(found.scores)
        if self.world.leads:
            main = self.config.validate_metrics[0]
            self.observer.advance(
                0,
                f"validation gain {METRICS[main].text(found.scores[f'validation/{main}_gain'], signed=True)}",
            )
            if found.sheet is not None:
                self.observer.picture(found.sheet, self.progress.images_seen)
        return found, trouble
