"""A studio wall in front of every recipe's nets: photos without structure, which instance normalisation
divides by next to nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from bundled import RECIPES
from small_training import CPU
from torch import Tensor

from components import recipes
from components.train.config import TrainConfig
from components.train.step import GanStep

NARROW: dict[str, dict[str, Any]] = {
    "resnet": {"width": 8, "blocks": 2},
    "srresnet": {"width": 8, "blocks": 2, "up_width": 8},
    "conv_unet": {"width": 8, "widest": 16, "depth": 4, "attention": None},
    "unet": {"width": 8, "widest": 16},
    "mobile": {"width": 8, "widest": 16, "blocks": [1, 1, 1]},
    "wiener_unet": {"width": 8, "widest": 16, "hidden": 16},
    "video_3d": {"width": 8, "widest": 16, "depth": 2},
    "video_flow": {"width": 8, "widest": 16, "flow_width": 4},
}
CROP_PX = {"srgan": 48, "demo": 64, "unet_patchgan": 48, "video_3d": 48, "video_flow": 48}
BEFORE, WALLS = 8, 8  # steps


def narrowed(name: str) -> TrainConfig:
    """The recipe's training with few channels and small crops; losses, norms and rates are its own."""
    plain: dict[str, Any] = recipes.load(name).train.model_dump(mode="json")
    plain["generator"] |= NARROW[plain["generator"]["kind"]]
    side = CROP_PX.get(name, 32)
    plain["discriminators"] = [
        one | {"width": 8} | ({"crop_px": side} if "crop_px" in one else {})
        for one in plain["discriminators"]
    ]
    plain["content"] = [
        part | ({"layer": "relu1_2"} if part["kind"] == "perceptual" else {}) for part in plain["content"]
    ]
    for phase in plain["phases"]:
        phase.update({"images": 100, "epochs": None, "crop_px": side, "batch": 1})
    return TrainConfig.model_validate(plain | {"workers": 0, "precision": "fp32"})


def step_of(config: TrainConfig, vgg: dict[str, Path]) -> GanStep:
    wanted = {index: part.weights() for index, part in enumerate(config.content)}
    return GanStep(
        config,
        CPU,
        {index: vgg[one.backbone] for index, one in wanted.items() if one is not None},  # type: ignore[union-attr]
    )


def batches(config: TrainConfig, turn: int, *, flat: bool) -> list[tuple[Tensor, Tensor]]:
    """Photos of noise on a ramp, or mid-grey walls, as many as a step takes."""
    side = config.phases[-1].crop_px
    found = []
    for update in range(1 if config.discriminator_reuse else config.discriminator_updates):
        source = torch.Generator().manual_seed(100 * turn + update)
        target = torch.rand(1, 3, side, side, generator=source) + torch.linspace(-1, 0, side)
        if flat:
            target = torch.zeros(1, 3, side, side)
        input = torch.nn.functional.avg_pool2d(target, config.generator.scale)
        found.append((input.repeat(1, config.generator.window, 1, 1), target))
    return found


def moments_of(step: GanStep) -> list[float]:
    """What each optimiser remembers of squared gradients, all its weights together."""
    optimizers = [step.update_generator.optimizer]
    if step.update_discriminators is not None:
        optimizers.append(step.update_discriminators.optimizer)
    return [
        sum(float(state["exp_avg_sq"].sum()) for state in optimizer.state.values())
        for optimizer in optimizers
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_one_flat_crop_leaves_no_mark_on_any_recipes_training(name: str, vgg: dict[str, Path]) -> None:
    config = narrowed(name)
    step = step_of(config, vgg)
    for turn in range(BEFORE):
        step(batches(config, turn, flat=False), config.phases[-1], turn, 1.0)
    before = moments_of(step)
    terms = step(batches(config, BEFORE, flat=True), config.phases[-1], BEFORE, 1.0)
    for old, new in zip(before, moments_of(step), strict=True):
        # Shortened to 5 times the median, it weighs as 25 steps; as it came, as 10⁴ to 10¹⁰.
        assert new < 8 * old
    assert all(torch.isfinite(value) for key, value in terms.items() if not key.endswith("gradient_norm"))
    after = step(batches(config, BEFORE + 1, flat=False), config.phases[-1], BEFORE + 1, 1.0)
    assert all(torch.isfinite(value) for value in after.values())


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_on_walls_alone_does_not_diverge(name: str, vgg: dict[str, Path]) -> None:
    config = narrowed(name)
    step = step_of(config, vgg)
    for turn in range(WALLS):
        terms = step(batches(config, turn, flat=True), config.phases[-1], turn, 1.0)
        for key, value in terms.items():
            assert torch.isfinite(value), f"{key} in step {turn}"
            if key.endswith("/total"):
                assert abs(float(value)) < config.loss_limit, f"{key} in step {turn}"
