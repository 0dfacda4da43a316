"""What maps one domain to another: a generator, its average, and the discriminators of what it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from components.nets.modules.few_places import learn_by_products
from components.nets.modules.norms import mixes_photos
from components.nets.modules.px_by_px import keep_order
from components.nets.modules.tiled_convolutions import fewer_products
from components.train.compiled import compiled
from components.train.config import Phase, TrainConfig
from components.train.config.direction import Direction
from components.train.precision import autocast
from components.train.step.discriminator_group import DiscriminatorGroup
from components.train.step.discriminator_update import DiscriminatorUpdate
from components.train.step.draws import StepDraws
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.parameter_groups import set_learning_rate
from components.train.step.terms import Batch, Terms
from components.train.step.weight_average import LastSteps, WeightAverage
from components.train.worker_dropout import draw_dropout_over_workers
from components.train.worker_group import World

AT_ONCE = 16  # photos in a pass without graph


@dataclass(frozen=True)
class MappedPhotos:
    """Photos of one worker as one mapping has them.

    batch: (input, target). restored: with its graph. noisy: how discriminators are shown photos; None
    leaves them out.
    """

    mapping: DomainMapping
    batch: Batch
    restored: Tensor
    noisy: NoisyPhotos | None


class DomainMapping:
    """The nets of one direction, and what teaches its discriminators."""

    def __init__(self, config: TrainConfig, direction: Direction, world: World) -> None:
        self._config, self.direction, self._world = config, direction, world
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        net = direction.generator.build(direction.seed)
        self.generator: nn.Module = net.to(world.device, memory_format=layout)  # type: ignore[call-overload]
        self._weight_average = WeightAverage(self.generator, config.ema, plain_mean=config.average_last > 0)
        keep_order(self.generator, world.device)
        draw_dropout_over_workers(self.generator, world)
        self._mixes = mixes_photos(self.generator)
        self.discriminators = DiscriminatorGroup(
            config.discriminators,
            direction.seed,
            world.device,
            layout,
            config.target_frames,
            compiling=config.compile,
        )
        for net in (self.generator, *self.discriminators.nets):
            learn_by_products(net)
            fewer_products(net)
        self.update_discriminators = (
            DiscriminatorUpdate(config, config.adversarial, self.discriminators, world, direction)
            if config.adversarial is not None
            else None
        )
        self._forward = compiled(self.generator, wanted=config.compile)

    @property
    def average(self) -> nn.Module:
        """The averaged generator as of the last step."""
        return self._weight_average.net

    def restored(self, input: Tensor) -> Tensor:
        """What the generator makes of inputs (N, 3, h, w), float32, with its graph."""
        with autocast(self._config.precision, self._world.device):
            restored: Tensor = self._forward(input)
        return restored.float()

    def restored_each(self, inputs: Sequence[Tensor], photos: int) -> list[Tensor]:
        """The same of several batches without graph: together, up to AT_ONCE photos a pass, where no
        photo changes what becomes of another. photos: of a batch over all workers, so that their number
        changes no pass.
        """
        count = 1 if self._mixes else max(1, AT_ONCE // photos)
        made: list[Tensor] = []
        with torch.no_grad():
            for begin in range(0, len(inputs), count):
                group = inputs[begin : begin + count]
                one_pass = group[0] if len(group) == 1 else torch.cat(list(group))
                made += self.restored(one_pass).chunk(len(group))
        return made

    def begin(
        self, phase: Phase, draws: StepDraws, lr_multiplier: float, phase_fraction: float
    ) -> MappingStep:
        """A step of the phase follows; gives what the discriminators learn by in it."""
        update = self.update_discriminators if phase.adversarial else None
        if update is not None:
            update.guard.begin(phase.name)
            set_learning_rate(update.optimizer, self._config.discriminator_optimizer.lr * lr_multiplier)
        own = replace(draws, seed=self.direction.seed)
        noisy = NoisyPhotos(self._config.instance_noise, own, phase_fraction, self._config.diff_augment)
        return MappingStep(self, update, noisy)

    def end(self, steps_done: int, last: LastSteps | None = None) -> None:
        """The generator has moved: let its average follow."""
        self._weight_average.update(self.generator, steps_done, last)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, but for the generators' common optimiser."""
        update = self.update_discriminators
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminators": self.discriminators.state(),
        } | (update.state() if update is not None else {"discriminator_optimizer": None, "pool": None})

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.discriminators.load_state(state["discriminators"])
        if self.update_discriminators is not None:
            self.update_discriminators.load_state(state)


@dataclass(frozen=True)
class MappingStep:
    """One mapping within one step. update: None where the phase goes without discriminators."""

    mapping: DomainMapping
    update: DiscriminatorUpdate | None
    noisy: NoisyPhotos

    def restored(self, batch: Batch, parts: int = 1) -> Tensor:
        """What the generator makes of the batch's inputs, worked through in so many parts."""
        input, _ = self.mapping.direction.view(batch)
        if parts == 1:
            return self.mapping.restored(input)
        return torch.cat([self.mapping.restored(part) for part in input.tensor_split(parts) if len(part)])

    def restored_each(self, batches: Sequence[Batch]) -> list[Tensor]:
        """What it makes of the inputs of several batches, without graph."""
        inputs = [self.mapping.direction.view(batch)[0] for batch in batches]
        return self.mapping.restored_each(inputs, self.noisy.draws.photos)

    def teach(self, batch: Batch, restored: Tensor, number: int) -> Terms:
        """Update the discriminators, if there are any; gives their terms. number: of the step."""
        if self.update is None:
            return {}
        view = self.mapping.direction.view(batch)
        return self.update(view, restored.detach(), number, self.noisy.draws, self.noisy)

    def photos(self, batch: Batch, restored: Tensor, part: tuple[int, int] | None = None) -> MappedPhotos:
        """The photos for the generators' update. part: from, to of this worker's, where these are not all."""
        shown = self.noisy if self.update is not None else None
        if shown is not None and part is not None:
            shown = replace(shown, draws=replace(shown.draws, part=part))
        return MappedPhotos(self.mapping, self.mapping.direction.view(batch), restored, shown)

    def end(self, steps_done: int, *, simultaneous: bool, last: LastSteps | None = None) -> None:
        """The generators have moved: so do discriminators that waited for them, and the average."""
        if self.update is not None and simultaneous:
            self.update.move()
        self.mapping.end(steps_done, last)


def in_parts(steps: Sequence[MappingStep], batch: Batch, parts: int) -> Iterator[list[MappedPhotos]]:
    """The photos of this worker part by part, each restored when it is asked for."""
    begin = 0
    for input, target in zip(*(photos.tensor_split(parts) for photos in batch), strict=True):
        place = (begin, begin := begin + len(input))
        if len(input):
            part = (input, target)
            yield [step.photos(part, step.restored(part), place) for step in steps]
