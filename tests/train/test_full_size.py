"""Every recipe with its nets as they are: one step of its last phase, and its generator goes out
and comes back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from bundled import RECIPES
from small_training import CPU

from components import recipes
from components.core.seeds import stream
from components.nets.restore import load_restorer, save_generator
from components.train.config import TrainConfig
from components.train.step import GanStep

# The smallest crops that nets and losses take.
CROP_PX = {
    "cyclegan": 64,
    "demo": 64,
    "deblurgan": 64,
    "deblurgan_seed": 256,
    "srgan": 96,
    "srgan_seed": 64,
    "unet_patchgan": 64,
    "unet_patchgan_seed": 64,
}
CHEAP = {"workers": 0, "discriminator_updates": 1, "precision": "fp32"}


def shortened(name: str) -> TrainConfig:
    """The recipe with one image a step and small crops: nets, losses and tricks are its own."""
    plain = recipes.load(name).train.model_dump(mode="json")
    for phase in plain["phases"]:
        phase.update({"images": 1, "epochs": None, "crop_px": CROP_PX.get(name, 256), "batch": 1})
    return TrainConfig.model_validate(plain | CHEAP)


@pytest.mark.parametrize("name", RECIPES)
def test_a_full_size_recipe_takes_a_step_and_its_model_loads_elsewhere(
    name: str, vgg: dict[str, Path], tmp_path: Path
) -> None:
    config = shortened(name)
    files = {
        index: vgg[part.weights().backbone]
        for index, part in enumerate(config.content)
        if part.weights() is not None
    }  # type: ignore[union-attr]
    step = GanStep(config, CPU, files)
    before = [parameter.detach().clone() for parameter in step.generator.parameters()]
    phase, side = config.phases[-1], config.phases[-1].crop_px
    source = torch.Generator().manual_seed(1)
    input, target = (
        torch.rand(1, channels, px, px, generator=source) * 2 - 1
        for channels, px in ((3 * config.generator.window, side // config.generator.scale), (3, side))
    )
    terms = step([(input, target)], phase, 0, 1.0)
    assert all(torch.isfinite(value) for value in terms.values())
    assert any(
        not torch.equal(old, new) for old, new in zip(before, step.generator.parameters(), strict=True)
    )
    save_generator(tmp_path, config.generator, step.average.state_dict())
    photo = stream("photo").random((45, 61, 3), dtype=np.float32)
    restored = load_restorer(tmp_path, device="cpu").restore(photo)
    assert restored.shape == (45 * config.generator.scale, 61 * config.generator.scale, 3)
    assert np.isfinite(restored).all()
