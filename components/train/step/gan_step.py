"""One GAN step: the discriminators' updates, then the generators', then the averages. Nothing here asks
which system it is training: a step has a tuple of mappings, one where input and target are pairs.

Losses stay on the device: the step gives 0-dim tensors by name, ../loop.py reads them every
`log_every` steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from components.train.config import Phase, TrainConfig
from components.train.step.discriminator_update import DiscriminatorUpdate
from components.train.step.domain_mapping import DomainMapping, in_parts
from components.train.step.draws import StepDraws
from components.train.step.frames import frame_by_frame
from components.train.step.generator_update import GeneratorUpdate
from components.train.step.parameter_groups import set_learning_rate
from components.train.step.terms import Batch, Terms
from components.train.step.weight_average import LastSteps
from components.train.worker_group import World


class GanStep:
    """The nets and what updates them; calling it changes their weights once."""

    def __init__(self, config: TrainConfig, world: World, weights: Mapping[int, Path]) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in
        config.content_losses().
        """
        self.config, self.world = config, world
        self.mappings = tuple(DomainMapping(config, one, world) for one in config.directions())
        self.update_generator = GeneratorUpdate(config, self.mappings, world, weights)
        self.steps_done = 0

    @property
    def restoring(self) -> DomainMapping:
        """The mapping from input to target, whose average is validated and kept."""
        return self.mappings[0]

    @property
    def generator(self) -> nn.Module:
        """The net that restores."""
        return self.restoring.generator

    @property
    def average(self) -> nn.Module:
        """Its average."""
        return self.restoring.average

    @property
    def discriminators(self) -> list[nn.Module]:
        """The nets that tell targets from restored pictures."""
        return self.restoring.discriminators.nets

    @property
    def update_discriminators(self) -> DiscriminatorUpdate | None:
        """What teaches them; None in a training on the content losses alone."""
        return self.restoring.update_discriminators

    def restored(self, input: Tensor) -> Tensor:
        """What the net that restores makes of inputs (N, 3, h, w), float32, with its graph."""
        return self.restoring.restored(input)

    def train(self) -> None:
        """Let all generators be in training: dropout drops, batch normalisation looks at the batch."""
        for mapping in self.mappings:
            mapping.generator.train()

    def __call__(
        self,
        batches: Sequence[Batch],
        phase: Phase,
        images_seen: int,
        lr_multiplier: float,
        *,
        phase_fraction: float = 0.0,
        last: LastSteps | None = None,
    ) -> Terms:
        """Change the weights once.

        batches: one (input, target) per discriminator update on fresh photos, (local batch, 3, h, w)
        and (local batch, 3, crop, crop) in [-1, 1], of video with more frames behind each other; the last
        one is also the generators'.
        images_seen: position in the training, which names every random draw.
        lr_multiplier: of the learning rates. phase_fraction: how much of the phase is done, 0 to 1.
        last: where the step stands in the training's last share, whose weights are averaged plainly.
        """
        frames = self.config.target_frames
        batches = [frame_by_frame(batch, frames) for batch in batches]
        draws = StepDraws(self.config.seed, images_seen, phase.batch, self.world, frames=frames)
        draws.seed_dropout()
        steps = [one.begin(phase, draws, lr_multiplier, phase_fraction) for one in self.mappings]
        terms: Terms = {}
        further = batches[:-1] if phase.adversarial else ()
        made_of_further = [step.restored_each(further) for step in steps]
        for number, batch in enumerate(further):
            for step, made_before in zip(steps, made_of_further, strict=True):
                terms |= step.teach(batch, made_before[number], number)
        self.update_generator.guard.begin(phase.name)
        set_learning_rate(self.update_generator.optimizer, self.config.generator_optimizer.lr * lr_multiplier)
        # The generators do not change while the discriminators learn, so that one pass serves
        # their last update and the generators' own step, where the batch is worked through at once.
        batch, whole = batches[-1], phase.accumulate == 1
        with torch.set_grad_enabled(whole):
            made = [step.restored(batch, phase.accumulate) for step in steps]
        again = self.config.discriminator_updates if self.config.discriminator_reuse else 1
        for number in range(len(batches) - 1, len(batches) - 1 + again):
            for step, restored in zip(steps, made, strict=True):
                terms |= step.teach(batch, restored, number)
        if whole:
            photos = [step.photos(batch, restored) for step, restored in zip(steps, made, strict=True)]
            terms |= self.update_generator(photos, phase)
        else:
            count = len(made[0])
            terms |= self.update_generator.accumulate(in_parts(steps, batch, phase.accumulate), phase, count)
        self.steps_done += 1
        for step in steps:
            step.end(self.steps_done, simultaneous=self.config.simultaneous, last=last)
        return terms

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as plain tensors, numbers and dictionaries. Random draws are
        named by position, so none is stored.
        """
        restoring, *further = (mapping.state() for mapping in self.mappings)
        return {
            "steps_done": self.steps_done,
            "generator_optimizer": self.update_generator.optimizer.state_dict(),
            "generator_guard": self.update_generator.guard.state(),
            "further": further,
            **restoring,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.steps_done = state["steps_done"]
        for mapping, kept in zip(self.mappings, (state, *state["further"]), strict=True):
            mapping.load_state(kept)
        self.update_generator.optimizer.load_state_dict(state["generator_optimizer"])
        self.update_generator.guard.load_state(state["generator_guard"])
