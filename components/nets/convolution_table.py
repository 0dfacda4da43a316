"""A discriminator's convolutions as a table: its layers, its receptive field, its map's side and
the smallest photo all follow from it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from components.nets.choices import Padding
from components.nets.norms import NoNorm, Norm


@dataclass(frozen=True)
class Convolution:
    """One row. gives_logits: nothing stands behind it; the others have a leaky rectifier and, where
    `normed`, a norm.
    """

    channels: int
    size: int
    stride: int = 1
    normed: bool = True
    gives_logits: bool = False


def field_px(table: Sequence[Convolution]) -> int:
    """Side of the patch that one value behind the last row sees, in px.

    >>> halvings = [Convolution(channels, 4, 2) for channels in (64, 128, 256)]
    >>> field_px([*halvings, Convolution(512, 4), Convolution(1, 4)])
    70
    """
    field = 1
    for row in reversed(table):
        field = (field - 1) * row.stride + row.size
    return field


def sides_px(table: Sequence[Convolution], side_px: int, padding: Padding) -> list[int]:
    """Side of the map behind each row, for a photo of this side; below 1 where nothing is left.

    >>> halvings = [Convolution(channels, 4, 2) for channels in (64, 128, 256)]
    >>> sides_px([*halvings, Convolution(512, 4), Convolution(1, 4)], 256, "torch")
    [128, 64, 32, 31, 30]
    """
    sides = []
    for row in table:
        border = 2 * ((row.size - 1) // 2)
        side_px = (
            math.ceil(side_px / row.stride)
            if padding == "keras"
            else (side_px + border - row.size) // row.stride + 1
        )
        sides.append(side_px)
    return sides


def works(table: Sequence[Convolution], side_px: int, norm: Norm, padding: Padding) -> bool:
    """Whether a photo of this side gives a map, and every norm more than one value a channel to
    work on, even in a batch of one.
    """
    least = [
        2 if row.normed and not row.gives_logits and not isinstance(norm, NoNorm) else 1 for row in table
    ]
    return all(side >= needed for side, needed in zip(sides_px(table, side_px, padding), least, strict=True))


def smallest_px(table: Sequence[Convolution], norm: Norm, padding: Padding) -> int:
    """The smallest side that works."""
    return next(side for side in itertools.count(1) if works(table, side, norm, padding))
