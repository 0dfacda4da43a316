"""Tiles of a picture: with what lies around them, or overlapping and joined, piece by piece, in the
memory of a few tiles.

A picture of its own size in floats, and its weights, would take sixteen bytes a pixel; here only
what neighbours still add to is kept: of the row of tiles at work one tile, of the row before its
overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Strip(NamedTuple):
    """A tile's place along one axis of the picture, in px, and its weight there."""

    span: slice
    ramp: Floats  # (length of the span)


class Tile(NamedTuple):
    """What a net is shown, in px of the padded photo, and the part of it that is the tile's own: the own
    parts of all tiles cover the photo once.
    """

    rows: slice
    columns: slice
    own: tuple[slice, slice]  # rows and columns, of the photo
    whole: tuple[int, int]  # height and width of the photo


def tiles_of(height: int, width: int, side: int, *, stride: int, around: int) -> list[Tile]:
    """Tiles whose own parts have at most `side` px a side, evenly spread, on the net's grid; each is
    shown `around` px more on every side, as far as the photo reaches.

    height, width, around: multiples of the stride.
    """

    def parts(length: int) -> list[tuple[slice, slice]]:
        cells = length // stride
        count = -(-cells // max(side // stride, 1))
        edges = [stride * (number * cells // count) for number in range(count + 1)]
        return [
            (slice(max(begin - around, 0), min(end + around, length)), slice(begin, end))
            for begin, end in itertools.pairwise(edges)
        ]

    return [
        Tile(rows, columns, (own_rows, own_columns), (height, width))
        for rows, own_rows in parts(height)
        for columns, own_columns in parts(width)
    ]


def joined(
    rows: Sequence[Strip], columns: Sequence[Strip], tile: Callable[[int, int], Floats]
) -> Iterator[tuple[slice, slice, Floats]]:
    """The picture's pieces, each once, with their rows and columns; together they cover it.

    rows, columns: in order, from one border to the other, each overlapping the next.
    tile: the picture's part (height, width, 3) of a row and a column, by their numbers; asked for
    row by row, in a wide picture column by column, so that the shorter side's overlap is kept.
    A piece is the mean of its tiles, weighted by the product of their ramps.
    """
    wide = columns[-1].span.stop > rows[-1].span.stop
    if not wide:
        yield from _joined(rows, columns, tile)
        return
    for across, down, piece in _joined(columns, rows, lambda one, other: tile(other, one).swapaxes(0, 1)):
        yield down, across, piece.swapaxes(0, 1)


def _joined(
    outer: Sequence[Strip], inner: Sequence[Strip], tile: Callable[[int, int], Floats]
) -> Iterator[tuple[slice, slice, Floats]]:
    """`joined`, outer after outer; sums are taken in the order of the tiles."""
    length = inner[-1].span.stop
    above = np.zeros((0, length, 4), np.float32)  # what tiles before have added to this outer's first px
    for number, (span, ramp) in enumerate(outer):
        top, height = span.start, span.stop - span.start
        end = outer[number + 1].span.start if number + 1 < len(outer) else span.stop
        below = np.zeros((span.stop - end, length, 4), np.float32)
        sums = np.zeros((height, 0, 4), np.float32)
        for place, (along, weight) in enumerate(inner):
            left, right = along.start, along.stop
            after = inner[place + 1].span.start if place + 1 < len(inner) else right
            fresh = np.zeros((height, right - left - sums.shape[1], 4), np.float32)
            fresh[: len(above)] = above[:, right - fresh.shape[1] : right]
            sums = np.concatenate([sums, fresh], axis=1)
            ramps = ramp[:, None, None] * weight[None, :, None]
            sums[..., :3] += tile(number, place) * ramps
            sums[..., 3:] += ramps
            done = sums[: end - top, : after - left]
            yield slice(top, end), slice(left, after), done[..., :3] / done[..., 3:]
            below[:, left:after] = sums[end - top :, : after - left]
            sums = sums[:, after - left :]
        above = below
