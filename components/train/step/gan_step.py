"""One GAN step: the discriminators' updates, then the generator's, then the average. Nothing here asks
which system it is training.

Losses stay on the device: the step gives 0-dim tensors by name, ../loop.py reads them every
`log_every` steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from components.train.config import Phase, TrainConfig
from components.train.precision import autocast
from components.train.step.discriminator_group import DiscriminatorGroup
from components.train.step.discriminator_update import DiscriminatorUpdate
from components.train.step.draws import StepDraws
from components.train.step.generator_update import GeneratorUpdate, Part
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.parameter_groups import set_learning_rate
from components.train.step.terms import Batch, Terms
from components.train.step.weight_average import WeightAverage
from components.train.worker_dropout import draw_dropout_over_workers
from components.train.worker_group import World


class GanStep:
    """The nets and what updates them; calling it changes their weights once."""

    def __init__(self, config: TrainConfig, world: World, weights: Mapping[int, Path]) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in
        config.content.
        """
        self.config, self.world = config, world
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.generator = config.generator.build(config.seed).to(world.device, memory_format=layout)  # type: ignore[call-overload]
        self._weight_average = WeightAverage(self.generator, config.ema)
        self.average = self._weight_average.net
        draw_dropout_over_workers(self.generator, world)
        self._discriminators = DiscriminatorGroup(config, world.device)
        self.discriminators = self._discriminators.nets
        self.update_discriminators = (
            DiscriminatorUpdate(config, config.adversarial, self._discriminators, world)
            if config.adversarial is not None
            else None
        )
        self.update_generator = GeneratorUpdate(config, self.generator, self._discriminators, world, weights)
        self._forward: nn.Module = torch.compile(self.generator) if config.compile else self.generator  # type: ignore[assignment]
        self.steps_done = 0

    def __call__(
        self,
        batches: Sequence[Batch],
        phase: Phase,
        images_seen: int,
        lr_multiplier: float,
        *,
        phase_fraction: float = 0.0,
    ) -> Terms:
        """Change the weights once.

        batches: one (input, target) per discriminator update on fresh photos, (local batch, 3, h, w)
        and (local batch, 3, crop, crop) in [-1, 1]; the last one is also the generator's.
        images_seen: position in the training, which names every random draw.
        lr_multiplier: of the learning rates. phase_fraction: how much of the phase is done, 0 to 1.
        """
        draws = StepDraws(self.config.seed, images_seen, phase.batch, self.world)
        draws.seed_dropout()
        noisy = NoisyPhotos(self.config.instance_noise, draws, phase_fraction, self.config.diff_augment)
        update = self.update_discriminators if phase.adversarial else None
        terms: Terms = {}
        if update is not None:
            update.guard.begin(phase.name)
            set_learning_rate(update.optimizer, self.config.discriminator_optimizer.lr * lr_multiplier)
            for number, batch in enumerate(batches[:-1]):
                with torch.no_grad():
                    restored = self.restored(batch[0])
                terms = update(batch, restored, number, draws, noisy)
        self.update_generator.guard.begin(phase.name)
        set_learning_rate(self.update_generator.optimizer, self.config.generator_optimizer.lr * lr_multiplier)
        # The generator does not change while the discriminators learn, so that one pass serves
        # their last update and its own step, where the batch is worked through at once.
        whole = phase.accumulate == 1
        with torch.set_grad_enabled(whole):
            restored = self._restored_in_parts(batches[-1][0], phase.accumulate)
        if update is not None:
            again = self.config.discriminator_updates if self.config.discriminator_reuse else 1
            for number in range(len(batches) - 1, len(batches) - 1 + again):
                terms = update(batches[-1], restored.detach(), number, draws, noisy)
        shown = noisy if update is not None else None
        if whole:
            terms |= self.update_generator(batches[-1], restored, phase, shown)
        else:
            parts = self._parts(batches[-1], phase.accumulate, shown)
            terms |= self.update_generator.accumulate(parts, phase, len(restored))
        if update is not None and self.config.simultaneous:
            update.move()
        self.steps_done += 1
        self._weight_average.update(self.generator, self.steps_done)
        return terms

    def _restored_in_parts(self, input: Tensor, parts: int) -> Tensor:
        if parts == 1:
            return self.restored(input)
        return torch.cat([self.restored(part) for part in input.tensor_split(parts) if len(part)])

    def _parts(self, batch: Batch, parts: int, noisy: NoisyPhotos | None) -> Iterator[Part]:
        """The photos of this worker part by part, each restored when it is asked for."""
        begin = 0
        for input, target in zip(*(photos.tensor_split(parts) for photos in batch), strict=True):
            part = (begin, begin := begin + len(input))
            if len(input):
                shown = None
                if noisy is not None:
                    shown = replace(noisy, draws=replace(noisy.draws, part=part))
                yield (input, target), self.restored(input), shown

    def restored(self, input: Tensor) -> Tensor:
        """What the generator makes of inputs (N, 3, h, w), float32, with its graph."""
        with autocast(self.config.precision, self.world.device):
            restored: Tensor = self._forward(input)
        return restored.float()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as plain tensors, numbers and dictionaries. Random draws are
        named by position, so none is stored.
        """
        update = self.update_discriminators
        return {
            "steps_done": self.steps_done,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminators": self._discriminators.state(),
            "generator_optimizer": self.update_generator.optimizer.state_dict(),
            "generator_guard": self.update_generator.guard.state(),
        } | (update.state() if update is not None else {"discriminator_optimizer": None, "pool": None})

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.steps_done = state["steps_done"]
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self._discriminators.load_state(state["discriminators"])
        self.update_generator.optimizer.load_state_dict(state["generator_optimizer"])
        self.update_generator.guard.load_state(state["generator_guard"])
        if self.update_discriminators is not None:
            self.update_discriminators.load_state(state)
