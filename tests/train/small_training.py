"""What the training tests share: a small configuration, a store and observer that remember, and
short ways to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from components.core.records import PairSet
from components.train.config import TrainConfig
from components.train.data import Data
from components.train.loop import Loop, Outcome
from components.train.step import GanStep
from components.train.training_state import read_state
from components.train.worker_group import World

CPU = World.alone(torch.device("cpu"))
NET = {"kind": "unet", "width": 4, "depth": 1}
CRITIC = {"kind": "patchgan", "layers": 1, "width": 4}
LOGITS = {"adversarial": {"kind": "cross_entropy"}, "discriminator_updates": 1}
LEARNING = {"discriminators": [], "adversarial": None, "ema": 0.0, "log_every": 50}


def settings(**changes: Any) -> dict[str, Any]:
    small: dict[str, Any] = {
        "seed": 3,
        "generator": NET,
        "discriminators": [CRITIC],
        "adversarial": {"kind": "wgan_gp", "weight": 0.1},
        "discriminator_updates": 2,
        "content": [{"kind": "l1"}],
        "phases": [{"name": "joint", "images": 20, "crop_px": 16, "batch": 2}],
        "validate_every": 8,
        "log_every": 2,
    }
    return small | changes


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(settings(**changes))


def content_phase(name: str, images: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "images": images, "crop_px": 16, "batch": 2, "adversarial": False, **more}


class KilledError(Exception):
    """Stands for kill -9 in the middle of a training."""


class Memory:
    """A store and an observer that remember."""

    in_background = False

    def __init__(self, die_after: int | None = None) -> None:
        self.states: list[bytes] = []
        self.values: dict[int, dict[str, float]] = {}
        self.pictures: list[int] = []
        self.warnings: list[str] = []
        self.images = 0
        self._die_after = die_after

    def load(self) -> bytes | None:
        return self.states[-1] if self.states else None

    def save(self, state: bytes | None, images_seen: int) -> None:
        assert state is not None
        self.states.append(state)

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        self.values.setdefault(images_seen, {}).update(values)

    def picture(self, picture: Any, images_seen: int) -> None:
        self.pictures.append(images_seen)

    def warn(self, words: str) -> None:
        self.warnings.append(words)

    def begin(self, images_seen: int) -> None:
        self.began = images_seen

    def advance(self, images: int, note: str) -> None:
        self.images += images
        if self._die_after is not None and self.images >= self._die_after:
            raise KilledError


def data_of(pairset: PairSet) -> Data:
    return Data.of(pairset)


def run(training: TrainConfig, pairset: PairSet, memory: Memory) -> Outcome:
    return Loop(training, data_of(pairset), CPU, memory, memory, {}).run()


def weights_of(state: bytes) -> list[torch.Tensor]:
    step = read_state(state)["step"]
    return [*step["generator"].values(), *step["average"].values(), *step["discriminators"][0].values()]


def a_batch(photos: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return (
        torch.rand(photos, 3, 16, 16, generator=source) * 2 - 1,
        torch.rand(photos, 3, 16, 16, generator=source) * 2 - 1,
    )


def copy_of(net: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in net.parameters()]


def seen_by_the_discriminator(step: GanStep) -> list[torch.Tensor]:
    """Fills with every batch of two photos that the first discriminator is shown; real and restored ones
    may come in one pass.
    """
    seen: list[torch.Tensor] = []
    step.discriminators[0].register_forward_pre_hook(
        lambda net, input: seen.extend(input[0].detach().clone().split(2))
    )
    return seen
