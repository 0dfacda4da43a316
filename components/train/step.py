"""One GAN step: the discriminators' updates, then the generator's. Nothing here asks which system it is training.

Losses stay on the device: the step gives 0-dim tensors by name, loop.py reads them every `log_every` steps.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from components.core.seeds import seed_of
from components.nets.discriminators import Discriminator
from components.train.config import Adam, Phase, TrainConfig
from components.train.world import World

Terms = dict[str, Tensor]
Batch = tuple[Tensor, Tensor]


class GanStep:
    """The nets, their optimisers and the averaged generator; calling it changes their weights once."""

    def __init__(self, config: TrainConfig, world: World, weights: Mapping[int, Path]) -> None:
        """weights: pretrained file of each content loss that needs one, by its place in config.content."""
        self.config, self.world = config, world
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.generator = config.generator.build(config.seed).to(world.device, memory_format=layout)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.discriminators = [part.build(config.seed, index).to(world.device) for index, part in enumerate(config.discriminators)]
        self.content = [
            (name, part.weight, part.build(world.device, weights.get(index)))
            for index, (name, part) in enumerate(zip(config.content_names(), config.content, strict=True))
        ]
        self.generator_optimizer = _adam(config.generator_optimizer, [self.generator])
        self.discriminator_optimizer = _adam(config.discriminator_optimizer, self.discriminators) if self.discriminators else None
        self._forward: nn.Module = torch.compile(self.generator) if config.compile else self.generator  # type: ignore[assignment]
        self.steps_done = 0

    def __call__(self, batches: Sequence[Batch], phase: Phase, images_seen: int, rate: float) -> Terms:
        """Change the weights once.

        batches: discriminator_updates × (blurred, sharp), each (share, 3, crop, crop) in [-1, 1]; the last one is also the generator's.
        images_seen: position in the training, which names every random draw. rate: multiplier of the learning rates.
        """
        # Dropout is drawn per step and worker, so that a resumed step draws what it would have drawn.
        torch.manual_seed(seed_of(self.config.seed, "dropout", images_seen, self.world.rank))
        terms: Terms = {}
        if phase.adversarial and self.discriminator_optimizer is not None:
            _set_rate(self.discriminator_optimizer, self.config.discriminator_optimizer.lr * rate)
            for update, batch in enumerate(batches):
                terms = self._update_discriminators(batch, phase, images_seen, update)
        _set_rate(self.generator_optimizer, self.config.generator_optimizer.lr * rate)
        terms |= self._update_generator(batches[-1], phase)
        self.steps_done += 1
        self._update_average()
        return terms

    def _update_discriminators(self, batch: Batch, phase: Phase, images_seen: int, update: int) -> Terms:
        assert self.config.adversarial is not None
        assert self.discriminator_optimizer is not None
        blurred, sharp = batch
        with torch.no_grad(), self._autocast():
            restored = self._forward(blurred)
        terms: Terms = {}
        total = torch.zeros((), device=self.world.device)
        for index, (part, net) in enumerate(zip(self.config.discriminators, self.discriminators, strict=True)):
            own, loss = self._judge_terms(part, net, blurred, sharp, restored.float(), self._mix(phase.batch, images_seen, update, index))
            terms |= {f"discriminator_{index}/{name}": value for name, value in own.items()}
            total = total + part.weight * loss
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        terms["discriminator/gradient_norm"] = self._share_gradients(self.discriminators)
        self.discriminator_optimizer.step()
        terms["discriminator/total"] = total.detach()
        return terms

    def _judge_terms(self, part: Discriminator, net: nn.Module, blurred: Tensor, sharp: Tensor, restored: Tensor, mix: Tensor) -> tuple[Terms, Tensor]:
        """One discriminator's terms for the log, and their sum with its graph."""
        assert self.config.adversarial is not None

        def judge(photo: Tensor) -> Tensor:
            logits: Tensor = net(part.view(photo, blurred))
            return logits

        with self._autocast():
            on_real, on_restored = judge(sharp).float(), judge(restored).float()
        losses = self.config.adversarial.discriminator_terms(on_real, on_restored)
        penalty = self.config.adversarial.penalty(judge, sharp, restored, mix)
        if penalty is not None:
            losses = losses | {"penalty": penalty}
        accuracy_real, accuracy_restored = self.config.adversarial.accuracy(on_real.detach(), on_restored.detach())
        logged = {name: value.detach() for name, value in losses.items()}
        return logged | {"accuracy_real": accuracy_real, "accuracy_restored": accuracy_restored}, torch.stack(list(losses.values())).sum()

    def _update_generator(self, batch: Batch, phase: Phase) -> Terms:
        blurred, sharp = batch
        adversarial = self.config.adversarial if phase.adversarial else None
        for net in self.discriminators:
            net.requires_grad_(False)
        with self._autocast():
            restored = self._forward(blurred)
        terms: Terms = {}
        parts: list[tuple[str, float, Tensor]] = []
        with self._autocast():
            parts += [(name, weight, loss(restored.float(), sharp).float()) for name, weight, loss in self.content]
            if adversarial is not None:
                for index, (part, net) in enumerate(zip(self.config.discriminators, self.discriminators, strict=True)):
                    logits = net(part.view(restored.float(), blurred)).float()
                    parts.append((f"adversarial_{index}", adversarial.weight * part.weight, adversarial.generator_loss(logits)))
        total = torch.stack([weight * value for _, weight, value in parts]).sum()
        self.generator_optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        for net in self.discriminators:
            net.requires_grad_(True)
        terms["generator/gradient_norm"] = self._share_gradients([self.generator])
        self.generator_optimizer.step()
        for name, weight, value in parts:
            terms[f"generator/{name}"] = value.detach()
            terms[f"generator/{name}_weighted"] = weight * value.detach()
        terms["generator/total"] = total.detach()
        return terms

    def _share_gradients(self, nets: Sequence[nn.Module]) -> Tensor:
        """Average the gradients over the workers; gives their norm."""
        gradients = [parameter.grad for net in nets for parameter in net.parameters() if parameter.grad is not None]
        self.world.average(gradients)
        return torch.nn.utils.get_total_norm(gradients)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the averaged generator a little toward the present one; faster at first, so that the start does not linger."""
        decay = min(self.config.ema, (1 + self.steps_done) / (10 + self.steps_done)) if self.config.ema else 0.0
        mine, theirs = list(self.average.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)
        for kept, present in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(present)

    def _mix(self, batch: int, images_seen: int, update: int, index: int) -> Tensor:
        """One number in [0, 1] per sample: drawn for the whole batch and shared out, so that workers together draw what one would."""
        source = torch.Generator().manual_seed(seed_of(self.config.seed, "mix", images_seen, update, index))
        return torch.rand(batch, generator=source)[self.world.rank :: self.world.size].to(self.world.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=self.config.precision == "bf16")

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as plain tensors, numbers and dictionaries. Random draws are named by position, so none is stored."""
        return {
            "steps_done": self.steps_done,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminators": [net.state_dict() for net in self.discriminators],
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict() if self.discriminator_optimizer else None,
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


def _adam(config: Adam, nets: Sequence[nn.Module]) -> torch.optim.Adam:
    parameters = [parameter for net in nets for parameter in net.parameters()]
    return torch.optim.Adam(parameters, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
