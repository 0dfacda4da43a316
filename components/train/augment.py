"""One crop and one set of changes for a pair (the door of albumentations)."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from components.core.seeds import Key, seed_of, stream
from components.train.config import Augment

Pixels = np.ndarray[Any, np.dtype[np.uint8 | np.uint16]]


class PairedAugment:
    """Crops and changes a pair alike. The same keys give the same crop and changes, on any worker and after any restart.

    The given photo may be `scale` times smaller than the sharp one (super-resolution): its crop is then as much smaller, at the same place.
    """

    def __init__(self, config: Augment, crop_px: int, scale: int = 1) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer release
        import albumentations as A

        steps: list[Any] = []
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
        # The shapes differ by `scale`, which it would refuse.
        self._transform = A.Compose(steps, additional_targets={"sharp": "image"}, is_check_shapes=False)
        self._crop_px, self._scale, self._enlarge = crop_px, scale, config.enlarge

    def __call__(self, given: Pixels, sharp: Pixels, *keys: Key) -> tuple[Pixels, Pixels]:
        """(h, w, 3) and (scale h, scale w, 3) uint8 or uint16; out (crop / scale, crop / scale, 3) and (crop, crop, 3)."""
        height, width = (int(side * self._enlarge) for side in given.shape[:2])
        if self._enlarge > 1:
            given, sharp = _enlarged(given, height, width), _enlarged(sharp, height * self._scale, width * self._scale)
        side = self._crop_px // self._scale
        draws = stream(*keys, "crop")
        top, left = int(draws.integers(height - side + 1)), int(draws.integers(width - side + 1))
        given, sharp = _cut(given, top, left, side), _cut(sharp, top * self._scale, left * self._scale, self._crop_px)
        self._transform.set_random_seed(seed_of(*keys) % 2**32)
        done = self._transform(image=given, sharp=sharp)
        return done["image"], done["sharp"]


def _cut(picture: Pixels, top: int, left: int, side: int) -> Pixels:
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def _enlarged(picture: Pixels, height: int, width: int) -> Pixels:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=picture.dtype)
