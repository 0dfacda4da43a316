"""What a discriminator is shown of a photo."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from components.nets.discriminators import Discriminator
from components.nets.modules.heads import middle_frame


def discriminator_view(
    part: Discriminator, photo_NCHW: Tensor, input_NCHW: Tensor, frames: int = 1
) -> Tensor:
    """The photo, behind its input when the discriminator is conditional, between neighbours in time when
    it looks at those, smaller when it shrinks.

    frames: that the photos are of each clip, all first ones before all second ones; where neighbours are
    restored photos, each frame that has two gives a row, (N - 2 N / frames, 9, H, W).
    input_NCHW: the generator's input, of a window (N, 3 T, h, w) the middle frame and those beside it; a
    smaller one (super-resolution) is enlarged bicubically (a = -0.5) to the photo's size.
    """
    shown = torch.cat(
        [_enlarged(each, photo_NCHW) for each in BESIDE[part.beside](photo_NCHW, input_NCHW, frames)], 1
    )
    return F.avg_pool2d(shown, part.shrink) if part.shrink > 1 else shown


def _between(photo: Tensor, window: Tensor, frames: int) -> list[Tensor]:
    """Between the input's; a photo alone has nothing beside it in time but itself."""
    middle, step = window.shape[1] // 6 * 3, 3 if window.shape[1] > 3 else 0
    before, after = (window[:, first : first + 3] for first in (middle - step, middle + step))
    return [before, photo, after]


def _in_a_row(photo: Tensor, window: Tensor, frames: int) -> list[Tensor]:
    """Three successive frames that are all what the photo is."""
    if frames < 3:
        return [photo] * 3
    clips = torch.unflatten(photo, 0, (frames, -1))
    return [clips[first : frames - 2 + first].flatten(0, 1) for first in range(3)]


BESIDE: dict[str, Callable[[Tensor, Tensor, int], list[Tensor]]] = {
    "nothing": lambda photo, input, frames: [photo],
    "input": lambda photo, input, frames: [middle_frame(input), photo],
    "neighbours": _between,
    "restored": _in_a_row,
}


def _enlarged(input_NCHW: Tensor, photo_NCHW: Tensor) -> Tensor:
    if input_NCHW.shape[2:] == photo_NCHW.shape[2:]:
        return input_NCHW
    # antialias changes nothing when enlarging, but for the kernel: a = -0.5, as MATLAB and Pillow
    # have it, instead of -0.75.
    return F.interpolate(input_NCHW, size=photo_NCHW.shape[2:], mode="bicubic", antialias=True)
