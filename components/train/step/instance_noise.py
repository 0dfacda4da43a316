"""Noise on the photos that the discriminators are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from components.train.config import DiffAugment, InstanceNoise
from components.train.step.diff_augment import Changes
from components.train.step.draws import StepDraws


@dataclass(frozen=True)
class NoisyPhotos:
    """How photos of one step become what is shown. config: None shows them as they are."""

    config: InstanceNoise | None
    draws: StepDraws
    phase_fraction: float
    diff_augment: DiffAugment | None = None

    def shown(
        self, input: Tensor, photo: Tensor, side: Literal["real", "restored"], update: int
    ) -> tuple[Tensor, Tensor]:
        """An input and its photo as discriminators are shown them: noisy, then changed alike."""
        return Changes(self.diff_augment, self.draws)(input, self(photo, side, update), side, update)

    def __call__(self, photo: Tensor, side: Literal["real", "restored"], update: int) -> Tensor:
        """Photos (N, 3, h, w) with the noise of this update; -1 is the generator's."""
        if self.config is None or (side == "restored" and not self.config.restored):
            return photo
        std = self.config.std_at(self.phase_fraction)
        return photo + std * self.draws.noise(photo.shape[1:], side, update)
