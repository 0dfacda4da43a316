"""One update of the generator: its content losses, what the discriminators make it pay, its
optimiser's step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.train.config import Phase, TrainConfig
from components.train.precision import autocast
from components.train.step.discriminator_group import DiscriminatorGroup
from components.train.step.gradient_guard import GradientGuard
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.terms import Batch, Terms
from components.train.worker_group import World

WeightedTerm = tuple[str, float, Tensor]
Part = tuple[Batch, Tensor, NoisyPhotos | None]


class GeneratorUpdate:
    """The generator's losses and its optimiser."""

    def __init__(
        self,
        config: TrainConfig,
        generator: nn.Module,
        discriminators: DiscriminatorGroup,
        world: World,
        weights: Mapping[int, Path],
    ) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in
        config.content.
        """
        self._config, self._world = config, world
        self._generator, self._discriminators = generator, discriminators
        self._content = [
            (name, part.weight, part.build(world.device, weights.get(index)))
            for index, (name, part) in enumerate(zip(config.content_names(), config.content, strict=True))
        ]
        self._adversarial = config.adversarial.build() if config.adversarial is not None else None
        self.optimizer = config.generator_optimizer.build([generator])
        self.guard = GradientGuard(config.gradients, [generator], world.device)

    def __call__(self, batch: Batch, restored: Tensor, phase: Phase, noisy: NoisyPhotos | None) -> Terms:
        """Change the weights once; gives the terms. The discriminators only look on.

        batch: (input, target) of this worker. restored: with its graph. noisy: how the discriminators
        are shown photos; None leaves them out.
        """
        return self.accumulate([(batch, restored, noisy)], phase, len(restored))

    def accumulate(self, parts: Iterable[Part], phase: Phase, photos: int) -> Terms:
        """The same for a batch that comes in parts: batch, restored, noisy of each, `photos` together. A
        part's graph is gone before the next is asked for.
        """
        self._discriminators.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        for batch, restored, noisy in parts:
            batch_share = len(restored) / photos
            for name, value in self._lower(batch, restored, phase, noisy, batch_share).items():
                terms[name] = value * batch_share + terms[name] if name in terms else value * batch_share
        self._discriminators.requires_grad_(True)
        (found,) = self.guard([self._world.average_gradients(self._generator)], self.optimizer)
        self.optimizer.step()
        return {f"generator/{name}": value for name, value in found.items()} | terms

    def _lower(
        self, batch: Batch, restored: Tensor, phase: Phase, noisy: NoisyPhotos | None, batch_share: float
    ) -> Terms:
        """Add the gradient of some photos' losses, their share of the batch, to what is there."""
        terms: Terms = {}
        with autocast(self._config.precision, self._world.device):
            parts: list[WeightedTerm] = [
                (name, weight, loss(restored, batch[1]).float())
                for name, weight, loss in self._content
                if phase.counts(name)
            ]
            if noisy is not None:
                parts += self._adversarial_terms(batch, restored, noisy)
        total = torch.stack([weight * value for _, weight, value in parts]).sum()
        (total * batch_share).backward()  # type: ignore[no-untyped-call]
        for name, weight, value in parts:
            terms[f"generator/{name}"] = value.detach()
            terms[f"generator/{name}_weighted"] = weight * value.detach()
        terms["generator/total"] = total.detach()
        return terms

    def _adversarial_terms(self, batch: Batch, restored: Tensor, noisy: NoisyPhotos) -> list[WeightedTerm]:
        part, adversarial, matching = (
            self._config.adversarial,
            self._adversarial,
            self._config.feature_matching,
        )
        assert part is not None
        assert adversarial is not None
        (input, target), features = batch, self._discriminators.features
        shown_input, shown = noisy.shown(input, restored, "restored", -1)
        real_input, real = noisy.shown(input, target, "real", -1)
        terms = []
        for index, weight, _ in self._discriminators.members():
            on_real, of_real = None, None
            if part.compares or matching:
                with torch.no_grad():
                    on_real, of_real = features(index, real, real_input)
            on_restored, of_restored = features(index, shown, shown_input)
            loss = adversarial.generator_loss(on_restored, on_real if part.compares else None)
            terms.append((f"adversarial_{index}", part.weight * weight, loss))
            if matching and of_real:
                apart = [
                    F.l1_loss(one.float(), two.float()) for one, two in zip(of_restored, of_real, strict=True)
                ]
                terms.append((f"feature_matching_{index}", matching * weight, torch.stack(apart).mean()))
        return terms
