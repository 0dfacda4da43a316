"""One crop and one set of changes for a pair (the door of albumentations)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from components.core.seeds import Key, seed_of, stream
from components.train.config import Augment

Pixels = np.ndarray[Any, np.dtype[np.uint8 | np.uint16]]


class PairedAugment:
    """Crops and changes a pair alike. The same keys give the same crop and changes, on any worker
    and after any restart.

    The input may be `scale` times smaller than the target (super-resolution): its crop is
    then as much smaller, at the same place. It may be a window of `frames` neighbouring frames, whose
    colours are swapped within each; the `targets` are those of the frames in its middle.
    """

    def __init__(
        self, config: Augment, crop_px: int, scale: int = 1, frames: int = 1, targets: int = 1
    ) -> None:
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
        beside = {f"frame {number}": "image" for number in range(1, frames)}
        beside |= {f"target {number}": "image" for number in range(1, targets)}
        self._transform = A.Compose(
            steps,
            additional_targets={"target": "image", **beside},
            is_check_shapes=False,
            save_applied_params=True,
        )
        self._by_name = {type(step).__name__: step for step in steps}
        self._crop_px, self._scale, self._enlarge = crop_px, scale, config.enlarge
        self._reverse_time = config.reverse_time

    def __call__(self, input: Pixels, target: Pixels, *keys: Key) -> tuple[Pixels, Pixels]:
        """(h, w, 3) and (scale h, scale w, 3) uint8 or uint16; out (crop / scale, crop / scale, 3)
        and (crop, crop, 3).
        """
        return self.cropped(
            enlarged(input, self._enlarge), enlarged(target, self._enlarge, self._scale), *keys
        )

    def cropped(self, input: Pixels, target: Pixels, *keys: Key) -> tuple[Pixels, Pixels]:
        """The same of pictures that are enlarged already."""
        return self.window([input], [target], *keys)

    def window(
        self, frames: Sequence[Pixels], targets: Sequence[Pixels], *keys: Key
    ) -> tuple[Pixels, Pixels]:
        """The same for T neighbouring frames (h, w, 3) and the targets of those in the middle: out
        (crop / scale, crop / scale, 3 T) in the order of time, or against it, and (crop, crop, 3 targets).
        """
        height, width = frames[0].shape[:2]
        top, left = self.crop_origin(height, width, *keys)
        frames = [_cut(frame, top, left, self._crop_px // self._scale) for frame in frames]
        targets = [_cut(each, top * self._scale, left * self._scale, self._crop_px) for each in targets]
        if len(frames) == 1:
            return self.change(frames[0], targets[0], *keys)
        if self._reverse_time and stream(*keys, "time").random() < self._reverse_time:
            frames, targets = frames[::-1], targets[::-1]
        self._transform.set_random_seed(seed_of(*keys) % 2**32)
        shown = {f"frame {number}": frame for number, frame in enumerate(frames[1:], 1)}
        aims = {f"target {number}": target for number, target in enumerate(targets[1:], 1)}
        changed = self._transform(image=frames[0], target=targets[0], **shown, **aims)
        return (
            np.concatenate([changed[name] for name in ("image", *shown)], axis=2),
            np.concatenate([changed[name] for name in ("target", *aims)], axis=2),
        )

    def crop_origin(self, height: int, width: int, *keys: Key) -> tuple[int, int]:
        """Row and column where the crop begins in an input of that size (once enlarged)."""
        side, draws = self._crop_px // self._scale, stream(*keys, "crop")
        return int(draws.integers(height - side + 1)), int(draws.integers(width - side + 1))

    def change(self, input: Pixels, target: Pixels, *keys: Key) -> tuple[Pixels, Pixels]:
        """Two crops, changed alike."""
        self._transform.set_random_seed(seed_of(*keys) % 2**32)
        changed = self._transform(image=input, target=target)
        return changed["image"], changed["target"]

    def drawn_change(self, target: Pixels, *keys: Key) -> tuple[Pixels, dict[str, np.ndarray[Any, Any]]]:
        """One crop, uint8, changed, and what the change is, for whoever makes it elsewhere.

        turned: (3,) int64: whether rows and columns are swapped, then whether rows and columns of
        the source run backwards.
        channels: (3,) int64, which of the source's each one is; levels: (256,) uint8, what becomes
        of each level.
        """
        self._transform.set_random_seed(seed_of(*keys) % 2**32)
        corners = np.arange(4, dtype=np.uint8).reshape(2, 2)  # a mask is moved and otherwise left alone
        changed = self._transform(image=target, target=target[:1, :1], mask=corners)
        source_rows = changed["mask"] // 2
        channels, levels = np.arange(3), np.arange(256, dtype=np.uint8)
        for name, drawn in changed["applied_transforms"]:
            if name == "ChannelShuffle" and drawn["channels_shuffled"] is not None:
                channels = channels[list(drawn["channels_shuffled"])]
            elif name == "RandomBrightnessContrast":
                levels = self._by_name[name].apply(levels[None, :, None].repeat(3, axis=2), **drawn)[0, :, 0]
        start = int(changed["mask"][0, 0])
        turned = [source_rows[0, 0] != source_rows[0, 1], start // 2 == 1, start % 2 == 1]
        return changed["image"], {
            "turned": np.array(turned, np.int64),
            "channels": channels.astype(np.int64),
            "levels": levels,
        }


def _cut(picture: Pixels, top: int, left: int, side: int) -> Pixels:
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def enlarged(picture: Pixels, by: float, multiple: int = 1) -> Pixels:
    """A picture (H, W, 3) as many times larger; its sides are `multiple` times those that its input,
    as many times smaller, is given.
    """
    if by == 1:
        return picture
    height, width = (enlarged_side(side, by, multiple) for side in picture.shape[:2])
    return np.asarray(
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), dtype=picture.dtype
    )


def enlarged_side(side: int, by: float, multiple: int = 1) -> int:
    """A side in px once enlarged, rounded down to whole px of the input.

    >>> enlarged_side(256, 286 / 256), enlarged_side(256, 1.1, 4)
    (286, 280)
    """
    return int(side // multiple * by) * multiple
