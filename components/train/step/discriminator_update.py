"""One update of the discriminators: what they are shown, their terms, their optimiser's step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from components.train.adversarial import Adversarial
from components.train.compiled import compiled, slope
from components.train.config import TrainConfig
from components.train.config.direction import Direction
from components.train.gradients_over_workers import GradientsOverWorkers
from components.train.precision import autocast
from components.train.step.discriminator_group import DiscriminatorGroup
from components.train.step.draws import StepDraws
from components.train.step.gradient_guard import GradientGuard
from components.train.step.image_pool import ImagePool
from components.train.step.instance_noise import NoisyPhotos
from components.train.step.terms import Batch, Terms
from components.train.worker_group import World

SIDES = ("real", "restored")


class DiscriminatorUpdate:
    """The discriminators' optimiser, and the pool of earlier restored photos that they learn from."""

    def __init__(
        self,
        config: TrainConfig,
        adversarial: Adversarial,
        discriminators: DiscriminatorGroup,
        world: World,
        direction: Direction,
    ) -> None:
        self._config, self._world = config, world
        self._part, self._loss = adversarial, adversarial.build()
        self._discriminators = discriminators
        levels = discriminators.last_biases() if adversarial.compares_alone else []
        self.optimizer = config.discriminator_optimizer.build(discriminators.nets, levels)
        self.over_workers = GradientsOverWorkers(discriminators.nets, world)
        self.guard = GradientGuard(config.gradients, discriminators.nets, world.device)
        self.pool = ImagePool(config.history, direction.seed) if config.history else None
        self._name = f"discriminator{direction.suffix}"
        self._penalty_beside = compiled(self._penalty_in_full, wanted=config.compile)
        self._r1_of = compiled(self._mean_r1, wanted=config.compile)

    def __call__(
        self, batch: Batch, restored: Tensor, update: int, draws: StepDraws, noisy: NoisyPhotos
    ) -> Terms:
        """Change the weights once, or once for real and once for restored photos when the updates are
        split; gives the terms.

        batch: (input, target) of this worker. restored: without graph. update: number within the step.
        """
        input, target = batch
        shown_input, shown = input, restored
        if self.pool is not None:
            shown_input, shown = self._with_earlier(self.pool, input, restored, update, draws)
        real = noisy.shown(input, target, "real", update)
        made = noisy.shown(shown_input, shown, "restored", update)
        r1 = self._config.r1
        due = r1 is not None and update == 0 and draws.images_seen // draws.batch % r1.every == 0
        terms: Terms = {}
        total = f"{self._name}/total"
        for sides in [(side,) for side in SIDES] if self._config.split_updates else [SIDES]:
            found = self._step(real, made, sides, lambda index: draws.mix(update, index), r1_due=due)
            found[total] = found[total] + terms.get(total, 0.0)
            terms |= found
        return terms

    def move(self) -> None:
        """Let the optimiser step on the gradients that are there."""
        self.optimizer.step()
        self._loss.constrain(self._discriminators.parameters())

    def _with_earlier(
        self, pool: ImagePool, input: Tensor, restored: Tensor, update: int, draws: StepDraws
    ) -> Batch:
        """This worker's part of what the pool gives for the batch of all workers."""
        whole = pool.exchange(
            self._world.gather(input), self._world.gather(restored), draws.images_seen, update
        )
        shown_input, shown = (photos[self._world.rank :: self._world.size] for photos in whole)
        return shown_input, shown

    def _step(
        self,
        real: Batch,
        restored: Batch,
        sides: Sequence[str],
        mix: Callable[[int], Tensor],
        *,
        r1_due: bool,
    ) -> Terms:
        """One optimiser step on the terms of these sides; a penalty goes with the last, R1 with the
        first. mix: numbers of a discriminator, by its place.
        """
        self.optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        totals = []
        for index, weight, _ in self._discriminators.members():
            own, loss = self._terms(index, real, restored, mix, sides)
            if r1_due and SIDES[0] in sides:
                own["r1"] = self._r1(index, real)
                loss = loss + own["r1"]
                own["r1"] = own["r1"].detach()
            terms |= {f"{self._name}_{index}/{name}": value for name, value in own.items()}
            totals.append(weight * loss)
        total = torch.stack(totals).sum()
        self.over_workers.backward(total)
        for index, found in enumerate(self.guard(self.over_workers.norms(), self.optimizer)):
            terms |= {f"{self._name}_{index}/{name}": value for name, value in found.items()}
        terms[f"{self._name}/total"] = total.detach()
        # Simultaneous: the generator's step comes first, on the discriminators as they are.
        if not self._config.simultaneous:
            self.move()
        return terms

    def _terms(
        self,
        index: int,
        real: Batch,
        restored: Batch,
        mix: Callable[[int], Tensor],
        sides: Sequence[str],
    ) -> tuple[Terms, Tensor]:
        """One discriminator's terms for the log, and their sum with its graph."""
        with autocast(self._config.precision, self._world.device):
            on_real, on_restored = self._discriminators.of_both(index, real, restored)
        losses = {
            name: self._part.discriminator_weight * value
            for name, value in self._loss.discriminator_terms(on_real, on_restored).items()
        }
        logged = {name: value.detach() for name, value in losses.items()}
        parts = [value for name, value in losses.items() if name in sides or len(sides) == len(SIDES)]
        if SIDES[-1] in sides and self._loss.penalises:
            penalty = self._penalty(index, real, restored, mix(index))
            logged["penalty"] = penalty.detach()
            parts.append(penalty)
        logged["accuracy_real"], logged["accuracy_restored"] = self._loss.accuracy(
            on_real.detach(), on_restored.detach()
        )
        return logged, torch.stack(parts).sum()

    def _penalty(self, index: int, real: Batch, restored: Batch, mix: Tensor) -> Tensor:
        """The penalty between real and restored photos; mix: one number a photo."""
        beside = real[0]
        if self._discriminators.looks_beside(index):
            # A pooled photo came of another input: a photo on the way between stands beside what lies on
            # the way between the two.
            beside = torch.lerp(restored[0], real[0], mix.view(-1, 1, 1, 1).to(real[0]))
        # An own context: each casts the weights anew, so that the two gradients are added in float32.
        with autocast(self._config.precision, self._world.device):
            return self._penalty_beside(index, beside, real[1], restored[1], mix)

    def _penalty_in_full(
        self, index: int, beside: Tensor, real: Tensor, restored: Tensor, mix: Tensor
    ) -> Tensor:
        penalty = self._loss.penalty(
            lambda photo: self._discriminators.raw(index, photo, beside), real, restored, mix
        )
        assert penalty is not None
        return penalty

    def _r1(self, index: int, real: Batch) -> Tensor:
        """gamma / 2 · |∇D|² at real photos, as many times as steps go without; D is a photo's mean logit. In
        float32 whatever the precision of the rest.
        """
        r1, (input, photo) = self._config.r1, real
        assert r1 is not None
        with torch.autocast(photo.device.type, enabled=False):
            return 0.5 * r1.gamma * r1.every * self._r1_of(index, input, photo.detach().float())

    def _mean_r1(self, index: int, input: Tensor, photo: Tensor) -> Tensor:
        found = slope(
            lambda shown: self._discriminators.raw(index, shown, input).flatten(1).mean(1).sum(), photo
        )
        return found.square().sum((1, 2, 3)).mean()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, beside the nets."""
        return {
            "discriminator_optimizer": self.optimizer.state_dict(),
            "discriminator_guard": self.guard.state(),
            "pool": self.pool.state() if self.pool else None,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.optimizer.load_state_dict(state["discriminator_optimizer"])
        self.guard.load_state(state["discriminator_guard"])
        if self.pool is not None:
            self.pool.load_state(state["pool"], self._world.device)
