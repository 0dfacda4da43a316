"""Changes of what the discriminators see, with a gradient for the generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from components.train.config import DiffAugment
from components.train.step.draws import StepDraws


@dataclass(frozen=True)
class Changes:
    """The changes of one step. config: None changes nothing. Every (side, update) has draws of its own;
    a photo and its input have the same.
    """

    config: DiffAugment | None
    draws: StepDraws

    def __call__(self, input: Tensor, photo: Tensor, side: str, update: int) -> tuple[Tensor, Tensor]:
        """Input (N, 3, h, w) and photo (N, 3, H, W), changed alike; an input of another size stays.

        Colours lie in [-1, 1]: what is moved in or cut out is 0, mid-grey (Zhao et al. 2020, as in the
        authors' code).
        """
        if self.config is None:
            return input, photo
        drawn = self.draws.per_sample(torch.rand, (7,), f"diff_augment {side}", update)
        together = input.shape == photo.shape
        changed = self._changed(photo, drawn, self.config)
        return (self._changed(input, drawn, self.config) if together else input), changed

    @staticmethod
    def _changed(photo: Tensor, drawn: Tensor, config: DiffAugment) -> Tensor:
        number = [drawn[:, place].view(-1, 1, 1, 1).to(photo) for place in range(drawn.shape[1])]
        if config.colour:
            photo = photo + (number[0] - 0.5)
            grey = photo.mean(1, keepdim=True)
            photo = (photo - grey) * (2 * number[1]) + grey
            mean = photo.mean((1, 2, 3), keepdim=True)
            photo = (photo - mean) * (number[2] + 0.5) + mean
        if config.translation:
            photo = _moved(photo, number[3], number[4], config.translation)
        if config.cutout:
            photo = photo * _kept(photo, number[5], number[6], config.cutout)
        return photo


def _moved(photo: Tensor, down: Tensor, right: Tensor, of_side: float) -> Tensor:
    """Each photo moved by whole px, up to `of_side` of its side each way; zeros follow."""
    count, _, height, width = photo.shape
    places = []
    for number, side in ((down, height), (right, width)):
        most = int(side * of_side + 0.5)
        moved = (number.view(-1) * (2 * most + 1)).floor().long().clamp_max(2 * most) - most
        # 0 is the border of zeros in front, side + 1 that behind.
        places.append((torch.arange(side, device=photo.device) - moved[:, None] + 1).clamp(0, side + 1))
    bordered = torch.nn.functional.pad(photo, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    batch = torch.arange(count, device=photo.device).view(-1, 1, 1)
    return bordered[batch, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)


def _kept(photo: Tensor, down: Tensor, right: Tensor, of_side: float) -> Tensor:
    """1 but in a square of each photo, (N, 1, H, W)."""
    inside = []
    for number, side, shape in (
        (down, photo.shape[2], (1, 1, -1, 1)),
        (right, photo.shape[3], (1, 1, 1, -1)),
    ):
        middle, half = (number * side).floor(), side * of_side / 2
        place = torch.arange(side, device=photo.device).view(shape)
        inside.append((place - middle).abs() < half)
    return 1.0 - (inside[0] & inside[1]).to(photo)
