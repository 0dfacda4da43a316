"""A discriminator's convolutions as a table: its layers, its receptive field, its map's side and
the smallest photo all follow from it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from components.nets.layers import NoNorm, Norm, Padding, conv

Bias = Literal["all", "ends", "last"]
SLOPE = 0.2


@dataclass(frozen=True)
class Step:
    """One convolution. `judges`: it gives the logits, so nothing stands behind it; the others have
    a leaky rectifier and, where `normed`, a norm.
    """

    channels: int
    size: int
    stride: int = 1
    normed: bool = True
    gives_logits: bool = False


def convolutions(
    steps: Sequence[Step],
    channels_in: int,
    norm: Norm,
    bias: Bias,
    padding: Padding,
    *,
    norm_first: bool = True,
) -> nn.Sequential:
    """The layers of a table. norm_first: normalise before the rectifier, as the papers do, or
    behind it (the SRGAN guide).
    """
    layers: list[nn.Module] = []
    for step in steps:
        biased = bias == "all" or step.gives_logits or (bias == "ends" and not step.normed)
        layers += conv(
            channels_in, step.channels, step.size, stride=step.stride, padding=padding, bias=biased
        )
        if not step.gives_logits:
            normed = norm.layers(step.channels) if step.normed else []
            rectified = nn.LeakyReLU(SLOPE, inplace=True)
            layers += [*normed, rectified] if norm_first else [rectified, *normed]
        channels_in = step.channels
    return nn.Sequential(*layers)


def field_px(steps: Sequence[Step]) -> int:
    """Side of the patch that one value behind the last step sees, in px.

    >>> field_px([Step(64, 4, 2), Step(128, 4, 2), Step(256, 4, 2), Step(512, 4), Step(1, 4)])
    70
    """
    field = 1
    for step in reversed(steps):
        field = (field - 1) * step.stride + step.size
    return field


def sides_px(steps: Sequence[Step], side_px: int, padding: Padding) -> list[int]:
    """Side of the map behind each step, for a photo of this side; below 1 where nothing is left.

    >>> sides_px([Step(64, 4, 2), Step(128, 4, 2), Step(256, 4, 2), Step(512, 4), Step(1, 4)], 256, "torch")
    [128, 64, 32, 31, 30]
    """
    sides = []
    for step in steps:
        border = 2 * ((step.size - 1) // 2)
        side_px = (
            math.ceil(side_px / step.stride)
            if padding == "keras"
            else (side_px + border - step.size) // step.stride + 1
        )
        sides.append(side_px)
    return sides


def works(steps: Sequence[Step], side_px: int, norm: Norm, padding: Padding) -> bool:
    """Whether a photo of this side gives a map, and every norm more than one value a channel to
    work on, even in a batch of one.
    """
    least = [
        2 if step.normed and not step.gives_logits and not isinstance(norm, NoNorm) else 1 for step in steps
    ]
    return all(side >= needed for side, needed in zip(sides_px(steps, side_px, padding), least, strict=True))


def smallest_px(steps: Sequence[Step], norm: Norm, padding: Padding) -> int:
    """The smallest side that works."""
    return next(side for side in itertools.count(1) if works(steps, side, norm, padding))
