"""Each published system, made narrow: on two pairs its generator learns them by heart, and its
discriminator's accuracy moves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bundled import RECIPES
from pairs import make_pairs
from small_training import CPU, Memory

from components import recipes
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop

NARROW = {
    "resnet": {"width": 16, "blocks": 2, "dropout": 0.0},
    "srresnet": {"width": 24, "blocks": 2, "up_width": 24},
    "conv_unet": {"width": 24, "widest": 48, "dropout": 0.0},
}
# Images a phase. Crops are as small as the discriminators take; a dense head takes one side alone.
OWN = {
    "demo",
    "mobile",
    "old_photo",
    "medical_16bit",
    "satellite",
    "video_3d",
    "video_flow",
    "wiener_gan",
}  # nobody's published system
IMAGES = {"srgan": 120, "deblurgan": 120, "deblurgan_seed": 120}
CROP_PX = {"deblurgan": 32, "srgan": 48, "unet_patchgan": 48}
TASKS = {"srgan": "enlarge", "srgan_seed": "enlarge", "pix2pix": "translate", "pix2pix_seed": "translate"}


def narrowed(name: str, images: int) -> TrainConfig:
    """The recipe's training with fewer channels and levels, small crops, a higher rate; losses,
    tricks and order are its own.
    """
    plain: dict[str, Any] = recipes.load(name).train.model_dump(mode="json")
    generator = plain["generator"]
    generator |= NARROW[generator["kind"]]
    if generator["kind"] == "conv_unet":
        generator |= {"depth": min(generator["depth"], 4), "attention": None, "test_time_dropout": False}
    if generator["norm"]["kind"] == "batch":
        generator |= {"test_time_statistics": "photo"}  # so few steps leave running means behind
    side = CROP_PX.get(name, 32)
    plain["discriminators"] = [
        discriminator | {"width": 8} | ({"crop_px": side} if "crop_px" in discriminator else {})
        for discriminator in plain["discriminators"]
    ]
    # Deeper layers take long.
    plain["content"] = [
        part | ({"layer": "relu1_2"} if part["kind"] == "perceptual" else {}) for part in plain["content"]
    ]
    for phase in plain["phases"]:
        phase.update({"images": images, "epochs": None, "crop_px": side, "batch": 2, "content": None})
    plain["augment"] = {"flip": 0.0}
    plain["generator_optimizer"] |= {"lr": 0.003, "beta1": 0.9}
    return TrainConfig.model_validate(
        plain
        | {
            "workers": 0,
            "validate_every": images,
            "log_every": 1,
            "ema": 0.0,
            "precision": "fp32",
            "keep_best": None,
        }
    )


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("cyclegan", *OWN)])
def test_two_pairs_are_learned_by_heart_and_the_discriminator_moves(
    name: str, vgg: dict[str, Path], tmp_path: Path
) -> None:
    config = narrowed(name, IMAGES.get(name, 200))
    pairset = make_pairs(tmp_path, count=2, size_px=CROP_PX.get(name, 32), task=TASKS.get(name, "restore"))
    memory = Memory()
    files = {
        index: vgg[part.weights().backbone]
        for index, part in enumerate(config.content)
        if part.weights() is not None
    }  # type: ignore[union-attr]
    learned = Data(pairset, pairset.pairs("train"), pairset.pairs("train"))
    outcome = Loop(config, learned, CPU, memory, memory, files).run()
    assert outcome.diverged is None
    main = config.validate_metrics[0]
    last = memory.values[outcome.images_seen]
    # Doing nothing has 20 dB and less; what a thread more or less changes stays within one.
    assert last[f"validation/{main}"] > 22.5
    assert last[f"validation/{main}_gain"] > 2.5
    told = [
        values["health/discriminator_accuracy"]
        for values in memory.values.values()
        if "health/discriminator_accuracy" in values
    ]
    # A critic that is right about all of these few photos from its first step has nowhere to go:
    # then its logits move.
    logits_of = [
        value
        for values in memory.values.values()
        for key, value in values.items()
        if key.endswith("discriminator/total")
    ]
    assert max(told) - min(told) > 0.02 or (min(told) == 1.0 and max(logits_of) - min(logits_of) > 0.02)
