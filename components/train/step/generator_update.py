"""One update of the generators: their content losses, what the discriminators make them pay, their
optimiser's step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

from components.train.compiled import compiled
from components.train.config import Phase, TrainConfig
from components.train.gradients_over_workers import GradientsOverWorkers
from components.train.precision import autocast
from components.train.step.cycle_terms import CycleTerms
from components.train.step.domain_mapping import DomainMapping, MappedPhotos
from components.train.step.gradient_guard import GradientGuard
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.terms import Terms, WeightedTerm
from components.train.worker_group import World

Photos = Sequence[MappedPhotos]  # the same photos of one worker, as each mapping has them


class GeneratorUpdate:
    """The losses of all generators and their optimiser."""

    def __init__(
        self,
        config: TrainConfig,
        mappings: Sequence[DomainMapping],
        world: World,
        weights: Mapping[int, Path],
    ) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in
        config.content_losses().
        """
        self._config, self._world, self._mappings = config, world, mappings
        binding = [
            (name, part.weight, part.build(world.device, weights.get(index)))
            for index, (name, part) in enumerate(config.content_losses())
            if index >= len(config.content)
        ]
        self._content = [
            (
                name,
                part.weight,
                compiled(
                    part.build_for_step(world.device, weights.get(index)),
                    wanted=config.compile and part.weights() is not None,
                ),
            )
            for index, (name, part) in enumerate(config.content_losses()[: len(config.content)])
        ]
        cycle = config.cycle
        self._binding = (
            ()
            if cycle is None
            else (CycleTerms(binding[: len(cycle.consistency)], binding[len(cycle.consistency) :]),)
        )
        self._adversarial = config.adversarial.build() if config.adversarial is not None else None
        nets = [mapping.generator for mapping in mappings]
        self.optimizer = config.generator_optimizer.build(nets)
        self.over_workers = GradientsOverWorkers(nets, world)
        self.guard = GradientGuard(config.gradients, nets, world.device)

    def __call__(self, photos: Photos, phase: Phase) -> Terms:
        """Change the weights once; gives the terms. The discriminators only look on."""
        return self.accumulate([photos], phase, len(photos[0].restored))

    def accumulate(self, parts: Iterable[Photos], phase: Phase, count: int) -> Terms:
        """The same for a batch that comes in parts, `count` photos together. A part's graph is gone before
        the next is asked for.
        """
        for mapping in self._mappings:
            mapping.discriminators.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        seen = 0
        for photos in parts:
            seen += len(photos[0].restored)
            batch_share = len(photos[0].restored) / count
            for name, value in self._lower(photos, phase, batch_share, last=seen == count).items():
                terms[name] = value * batch_share + terms[name] if name in terms else value * batch_share
        assert seen == count, f"parts of {seen} photos together, {count} were announced: none was the last"
        for mapping in self._mappings:
            mapping.discriminators.requires_grad_(True)
        guarded = self.guard(self.over_workers.norms(), self.optimizer)
        self.optimizer.step()
        return {
            f"generator{mapping.direction.suffix}/{name}": value
            for mapping, found in zip(self._mappings, guarded, strict=True)
            for name, value in found.items()
        } | terms

    def _lower(self, photos: Photos, phase: Phase, batch_share: float, *, last: bool) -> Terms:
        """Add the gradient of some photos' losses, their share of the batch, to what is there. last: of the
        batch.
        """
        terms: Terms = {}
        parts: list[WeightedTerm] = []
        with autocast(self._config.precision, self._world.device):
            for one in photos:
                parts += self._content_terms(one, phase)
                if one.noisy is not None:
                    parts += self._adversarial_terms(one, one.noisy)
            for terms_between in self._binding:
                parts += terms_between(photos, phase)
        total = torch.stack([weight * value for _, weight, value in parts]).sum()
        self.over_workers.backward(total * batch_share, last=last)
        for name, weight, value in parts:
            terms[f"generator/{name}"] = value.detach()
            terms[f"generator/{name}_weighted"] = weight * value.detach()
        terms["generator/total"] = total.detach()
        return terms

    def _content_terms(self, photos: MappedPhotos, phase: Phase) -> list[WeightedTerm]:
        suffix, (input, target) = photos.mapping.direction.suffix, photos.batch
        return [
            (
                f"{name}{suffix}",
                weight,
                loss(photos.mapping.generator, input, photos.restored, target).float(),
            )
            for name, weight, loss in self._content
            if phase.counts(name)
        ]

    def _adversarial_terms(self, photos: MappedPhotos, noisy: NoisyPhotos) -> list[WeightedTerm]:
        part, adversarial, matching = (
            self._config.adversarial,
            self._adversarial,
            self._config.feature_matching,
        )
        assert part is not None
        assert adversarial is not None
        (input, target), discriminators = photos.batch, photos.mapping.discriminators
        suffix = photos.mapping.direction.suffix
        look = discriminators.features if matching else discriminators.logits_alone
        shown_input, shown = noisy.shown(input, photos.restored, "restored", -1)
        terms = []
        looks_at_real = part.compares or bool(matching)
        if looks_at_real:
            real_input, real = noisy.shown(input, target, "real", -1)
        for index, weight, _ in discriminators.members():
            on_real, of_real = None, None
            if looks_at_real:
                with torch.no_grad():
                    on_real, of_real = look(index, real, real_input)
            on_restored, of_restored = look(index, shown, shown_input)
            loss = adversarial.generator_loss(on_restored, on_real if part.compares else None)
            terms.append((f"adversarial{suffix}_{index}", part.weight * weight, loss))
            if matching and of_real:
                apart = [
                    F.l1_loss(one.float(), two.float()) for one, two in zip(of_restored, of_real, strict=True)
                ]
                terms.append(
                    (f"feature_matching{suffix}_{index}", matching * weight, torch.stack(apart).mean())
                )
        return terms
