"""One GAN step: the discriminators' updates, then the generator's. Nothing here asks which system
it is training.

Losses stay on the device: the step gives 0-dim tensors by name, loop.py reads them every
`log_every` steps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from components.core.seeds import seed_of
from components.nets.discriminators import Discriminator
from components.nets.modules.discriminator_view import discriminator_view
from components.train.config import Adam, Phase, TrainConfig
from components.train.image_pool import Pool
from components.train.worker_dropout import draw_dropout_over_workers
from components.train.worker_group import World

Terms = dict[str, Tensor]
Batch = tuple[Tensor, Tensor]
SIDES = ("real", "restored")


class GanStep:
    """The nets, their optimisers and the averaged generator; calling it changes their weights once."""

    def __init__(self, config: TrainConfig, world: World, weights: Mapping[int, Path]) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in
        config.content.
        """
        self.config, self.world = config, world
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.generator = config.generator.build(config.seed).to(world.device, memory_format=layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        draw_dropout_over_workers(self.generator, world)
        self.discriminators = [
            part.build(config.seed, index).to(world.device)
            for index, part in enumerate(config.discriminators)
        ]
        self.content = [
            (name, part.weight, part.build(world.device, weights.get(index)))
            for index, (name, part) in enumerate(zip(config.content_names(), config.content, strict=True))
        ]
        self.generator_optimizer = _adam(config.generator_optimizer, [self.generator])
        self.discriminator_optimizer = (
            _adam(config.discriminator_optimizer, self.discriminators) if self.discriminators else None
        )
        self.pool = Pool(config.history, config.seed) if config.history else None
        self._forward: nn.Module = torch.compile(self.generator) if config.compile else self.generator  # type: ignore[assignment]
        self.steps_done = 0

    def __call__(
        self, batches: Sequence[Batch], phase: Phase, images_seen: int, lr_factor: float, *, done: float = 0.0
    ) -> Terms:
        """Change the weights once.

        batches: one (input, target) per discriminator update on fresh photos, (share, 3, h, w) and
        (share, 3, crop, crop) in [-1, 1]; the last one is also the generator's. images_seen:
        position in the training, which names every random draw.
        rate: multiplier of the learning rates. share: how much of the phase is done, 0 to 1.
        """
        # Dropout is drawn per step, so that a resumed step draws what it would have drawn;
        # share_dropout parts it among the workers.
        torch.manual_seed(seed_of(self.config.seed, "dropout", images_seen))
        self._images_seen, self._phase, self._done = images_seen, phase, done
        adversarial_phase = phase.adversarial and self.discriminator_optimizer is not None
        terms: Terms = {}
        if adversarial_phase:
            _set_learning_rate(
                self.discriminator_optimizer, self.config.discriminator_optimizer.lr * lr_factor
            )
            for update, batch in enumerate(batches[:-1]):
                with torch.no_grad():
                    restored = self._restored(batch[0])
                terms = self._update_discriminators(batch, restored, update)
        _set_learning_rate(self.generator_optimizer, self.config.generator_optimizer.lr * lr_factor)
        input, target = batches[-1]
        # The generator does not change while the discriminators learn, so that one pass serves
        # their last update and its own step.
        restored = self._restored(input)
        if adversarial_phase:
            updates = self.config.discriminator_updates if self.config.discriminator_reuse else 1
            for update in range(len(batches) - 1, len(batches) - 1 + updates):
                terms = self._update_discriminators((input, target), restored.detach(), update)
        terms |= self._update_generator(input, target, restored, adversarial_phase=adversarial_phase)
        self.steps_done += 1
        self._update_average()
        return terms

    def _restored(self, input: Tensor) -> Tensor:
        with self._autocast():
            restored: Tensor = self._forward(input)
        return restored.float()

    def _update_discriminators(self, batch: Batch, restored: Tensor, update: int) -> Terms:
        input, target = batch
        seen_input, seen = input, restored
        if self.pool is not None:
            place = (self.world.rank, self.world.size)
            whole = self.pool.exchange(
                self.world.gather(input), self.world.gather(restored), self._images_seen, update
            )
            seen_input, seen = (photos[place[0] :: place[1]] for photos in whole)
        target, seen = self._noisy(target, update, "real"), self._noisy(seen, update, "restored")
        terms: Terms = {}
        for sides in [(side,) for side in SIDES] if self.config.split_updates else [SIDES]:
            found = self._step_discriminators((input, target), (seen_input, seen), update, sides)
            found["discriminator/total"] = found["discriminator/total"] + terms.get(
                "discriminator/total", 0.0
            )
            terms |= found
        return terms

    def _step_discriminators(self, real: Batch, restored: Batch, update: int, sides: Sequence[str]) -> Terms:
        """One optimiser step on the terms of these sides; a penalty goes with the last."""
        adversarial, optimizer = self.config.adversarial, self.discriminator_optimizer
        assert adversarial is not None
        assert optimizer is not None
        optimizer.zero_grad(set_to_none=True)
        terms: Terms = {}
        totals = []
        for index, (part, net) in enumerate(
            zip(self.config.discriminators, self.discriminators, strict=True)
        ):
            own, loss = self._discriminator_terms(part, net, real, restored, self._mix(update, index), sides)
            terms |= {f"discriminator_{index}/{name}": value for name, value in own.items()}
            totals.append(part.weight * loss)
        total = torch.stack(totals).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for index, net in enumerate(self.discriminators):
            terms[f"discriminator_{index}/gradient_norm"] = self._average_gradients(net)
        terms["discriminator/total"] = total.detach()
        if not self.config.simultaneous:
            self._move_discriminators()
        return terms

    def _move_discriminators(self) -> None:
        assert self.discriminator_optimizer is not None
        assert self.config.adversarial is not None
        self.discriminator_optimizer.step()
        self.config.adversarial.constrain(
            [parameter for net in self.discriminators for parameter in net.parameters()]
        )

    def _discriminator_terms(
        self,
        part: Discriminator,
        net: nn.Module,
        real: Batch,
        restored: Batch,
        mix: Tensor,
        sides: Sequence[str],
    ) -> tuple[Terms, Tensor]:
        """One discriminator's terms for the log, and their sum with its graph."""
        adversarial = self.config.adversarial
        assert adversarial is not None
        with self._autocast():
            on_real, on_restored = (
                self._logits(part, net, real[1], real[0]),
                self._logits(part, net, restored[1], restored[0]),
            )
        losses = {
            name: adversarial.discriminator_weight * value
            for name, value in adversarial.discriminator_terms(on_real, on_restored).items()
        }
        logged = {name: value.detach() for name, value in losses.items()}
        parts = [value for name, value in losses.items() if name in sides or len(sides) == len(SIDES)]
        if SIDES[-1] in sides:
            penalty = adversarial.penalty(
                lambda photo: net(discriminator_view(part, photo, real[0])), real[1], restored[1], mix
            )
            if penalty is not None:
                logged["penalty"] = penalty.detach()
                parts.append(penalty)
        logged["accuracy_real"], logged["accuracy_restored"] = adversarial.accuracy(
            on_real.detach(), on_restored.detach()
        )
        return logged, torch.stack(parts).sum()

    def _logits(self, part: Discriminator, net: nn.Module, photo: Tensor, input: Tensor) -> Tensor:
        logits: Tensor = net(discriminator_view(part, photo, input))
        return logits.float()

    def _update_generator(
        self, input: Tensor, target: Tensor, restored: Tensor, *, adversarial_phase: bool
    ) -> Terms:
        for net in self.discriminators:
            net.requires_grad_(False)
        terms: Terms = {}
        parts: list[tuple[str, float, Tensor]] = []
        with self._autocast():
            parts += [
                (name, weight, loss(restored, target).float())
                for name, weight, loss in self.content
                if self._phase.counts(name)
            ]
            if adversarial_phase:
                parts += self._adversarial_parts(input, target, restored)
        total = torch.stack([weight * value for _, weight, value in parts]).sum()
        self.generator_optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        for net in self.discriminators:
            net.requires_grad_(True)
        if adversarial_phase and self.config.simultaneous:
            self._move_discriminators()
        terms["generator/gradient_norm"] = self._average_gradients(self.generator)
        self.generator_optimizer.step()
        for name, weight, value in parts:
            terms[f"generator/{name}"] = value.detach()
            terms[f"generator/{name}_weighted"] = weight * value.detach()
        terms["generator/total"] = total.detach()
        return terms

    def _adversarial_parts(
        self, input: Tensor, target: Tensor, restored: Tensor
    ) -> list[tuple[str, float, Tensor]]:
        adversarial = self.config.adversarial
        assert adversarial is not None
        shown, beside = self._noisy(restored, -1, "restored"), self._noisy(target, -1, "real")
        parts = []
        for index, (part, net) in enumerate(
            zip(self.config.discriminators, self.discriminators, strict=True)
        ):
            with torch.no_grad():
                on_real = self._logits(part, net, beside, input) if adversarial.compares else None
            loss = adversarial.generator_loss(self._logits(part, net, shown, input), on_real)
            parts.append((f"adversarial_{index}", adversarial.weight * part.weight, loss))
        return parts

    def _average_gradients(self, net: nn.Module) -> Tensor:
        """Average one net's gradients over the workers; gives their norm."""
        gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        self.world.average(gradients)
        return torch.nn.utils.get_total_norm(gradients)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the averaged generator a little toward the present one; faster at first, so that the
        start does not linger.
        """
        decay = (
            min(self.config.ema, (1 + self.steps_done) / (10 + self.steps_done)) if self.config.ema else 0.0
        )
        # Running statistics are averaged too: they must belong to the averaged weights.
        kept, present = (
            [*net.parameters(), *(buffer for buffer in net.buffers() if buffer.is_floating_point())]
            for net in (self.average, self.generator)
        )
        torch._foreach_lerp_(kept, present, 1.0 - decay)

    def _mix(self, update: int, index: int) -> Tensor:
        """One number in [0, 1] per sample."""
        return self._drawn(torch.rand, (), "mix", update, index)

    def _noisy(self, photo: Tensor, update: int, side: str) -> Tensor:
        noise = self.config.instance_noise
        if noise is None or (side == "restored" and not noise.restored):
            return photo
        level = noise.std * (1.0 - self._done if noise.fade else 1.0)
        return photo + level * self._drawn(torch.randn, photo.shape[1:], f"instance noise {side}", update)

    def _drawn(self, law: Callable[..., Tensor], shape: Sequence[int], name: str, *keys: int) -> Tensor:
        """Random numbers per sample: drawn for the whole batch and shared out, so that workers
        together draw what one would.
        """
        source = torch.Generator().manual_seed(seed_of(self.config.seed, name, self._images_seen, *keys))
        return law(self._phase.batch, *shape, generator=source)[self.world.rank :: self.world.size].to(
            self.world.device
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.world.device.type, dtype=torch.bfloat16, enabled=self.config.precision == "bf16"
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as plain tensors, numbers and dictionaries. Random draws are
        named by position, so none is stored.
        """
        return {
            "steps_done": self.steps_done,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminators": [net.state_dict() for net in self.discriminators],
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": (
                self.discriminator_optimizer.state_dict() if self.discriminator_optimizer else None
            ),
            "pool": self.pool.state() if self.pool else None,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.steps_done = state["steps_done"]
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        for net, kept in zip(self.discriminators, state["discriminators"], strict=True):
            net.load_state_dict(kept)
        self.generator_optimizer.load_state_dict(state["generator_optimizer"])
        if self.discriminator_optimizer is not None:
            self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        if self.pool is not None:
            self.pool.load_state(state["pool"], self.world.device)


def _adam(config: Adam, nets: Sequence[nn.Module]) -> torch.optim.Adam:
    parameters = [parameter for net in nets for parameter in net.parameters()]
    return torch.optim.Adam(
        parameters, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True
    )


def _set_learning_rate(optimizer: torch.optim.Optimizer | None, lr_factor: float) -> None:
    for group in optimizer.param_groups if optimizer is not None else ():
        group["lr"] = lr_factor
