"""The door of albumentations: one crop and one set of changes for a blurred/sharp pair."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from components.core.seeds import Key, seed_of
from components.train.config import Augment

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class PairedAugment:
    """Crops and changes a pair alike. The same keys give the same crop and changes, on any worker and after any restart."""

    def __init__(self, config: Augment, crop_px: int) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer release
        import albumentations as A

        steps: list[Any] = [A.RandomCrop(crop_px, crop_px)]
        if config.flip:
            steps.append(A.HorizontalFlip(p=config.flip))
        if config.flip_vertical:
            steps.append(A.VerticalFlip(p=config.flip_vertical))
        if config.quarter_turns:
            steps.append(A.RandomRotate90(p=config.quarter_turns))
        if config.swap_channels:
            steps.append(A.ChannelShuffle(p=config.swap_channels))
        if config.brightness or config.contrast:
            steps.append(A.RandomBrightnessContrast(config.brightness, config.contrast, p=1.0))
        self._transform = A.Compose(steps, additional_targets={"sharp": "image"})

    def __call__(self, blurred: Pixels, sharp: Pixels, *keys: Key) -> tuple[Pixels, Pixels]:
        """Both (H, W, 3) uint8 of one size; out both (crop_px, crop_px, 3)."""
        self._transform.set_random_seed(seed_of(*keys) % 2**32)
        done = self._transform(image=blurred, sharp=sharp)
        return done["image"], done["sharp"]
