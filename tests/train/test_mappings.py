"""A step by mappings: with one of them it is the paired step, to the last bit."""

from __future__ import annotations

import pytest
import torch
from small_training import CPU, a_batch, config, copy_of
from torch.nn import functional as F

from components.nets.modules.dead_biases import dead_biases
from components.train.step import GanStep

RATE = 1e-3
ADAM = {"lr": RATE, "beta1": 0.5, "spectral_step": None}
PAIRED = {
    "adversarial": {"kind": "least_squares", "weight": 0.1},
    "discriminator_updates": 1,
    "content": [{"kind": "l1", "weight": 3.0}],
    "ema": 0.0,
    "generator_optimizer": ADAM,
    "discriminator_optimizer": ADAM,
}


@pytest.mark.parametrize("conditional", [False, True])
def test_the_paired_step_is_what_it_is_when_written_out_to_the_last_bit(conditional: bool) -> None:
    critic = {"kind": "patchgan", "layers": 1, "width": 4, "conditional": conditional}
    settings = config(**PAIRED | {"discriminators": [critic]})
    step = GanStep(settings, CPU, {})
    generator = settings.generator.build(settings.seed).train()
    discriminator = settings.discriminators[0].build(settings.seed, 0)
    dead = {id(bias) for net in (generator, discriminator) for bias in dead_biases(net)}
    optimizers = [
        torch.optim.Adam(
            [weight for weight in net.parameters() if id(weight) not in dead],
            lr=RATE,
            betas=(0.5, 0.999),
            fused=True,
        )
        for net in (generator, discriminator)
    ]

    def seen(input: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = discriminator(torch.cat([input, photo], 1) if conditional else photo)
        return logits

    def move(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for turn in range(3):
        input, target = batch = a_batch()
        step([batch], settings.phases[0], 2 * turn, 1.0)
        restored = generator(input)
        both = seen(torch.cat([input, input]), torch.cat([target, restored.detach()]))
        on_real, on_restored = both.chunk(2)
        weight = settings.adversarial.discriminator_weight if settings.adversarial else 0.0
        real, made = 0.5 * (on_real - 1.0).square().mean(), 0.5 * on_restored.square().mean()
        move(optimizers[1], torch.stack([weight * real, weight * made]).sum())
        discriminator.requires_grad_(False)
        fooled = 0.5 * (seen(input, restored) - 1.0).square().mean()
        move(optimizers[0], torch.stack([3.0 * F.l1_loss(restored, target), 0.1 * fooled]).sum())
        discriminator.requires_grad_(True)
    for ours, plain in ((step.generator, generator), (step.discriminators[0], discriminator)):
        for mine, other in zip(copy_of(ours), copy_of(plain), strict=True):
            assert torch.equal(mine, other)


def test_pairs_have_one_mapping_whose_state_stands_where_it_always_stood() -> None:
    step = GanStep(config(), CPU, {})
    assert len(step.mappings) == 1
    assert step.generator is step.mappings[0].generator
    kept = step.state()
    assert kept["further"] == []
    assert kept["generator"].keys() == step.generator.state_dict().keys()
    assert len(kept["discriminators"]) == 1
