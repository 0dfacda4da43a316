"""Layers whose answer depends on the whole photo, and how they answer for a tile of it as they would
for the whole.

Such a layer needs of the photo a few numbers (means, variances, keys and values). A survey collects
them tile by tile, each from the part that is its own, one layer after the other: a layer's numbers
can only be taken once all layers before it answer as for the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn


class Box(NamedTuple):
    """Rows and columns of a picture, in px: from `top` and `left` on."""

    top: int
    left: int
    height: int
    width: int

    def mirrored(self, whole: Box) -> Box:
        """The same part of the picture `whole` seen in a mirror, left to right."""
        return self._replace(left=whole.width - self.left - self.width)

    def turned(self, whole: Box) -> Box:
        """The same part of the picture `whole` turned as torch.rot90 does once."""
        return Box(whole.width - self.left - self.width, self.top, self.width, self.height)


class Place(NamedTuple):
    """Where a tile lies in the photo, and the part of the tile that is its own, in px of the input."""

    tile: Box  # in the photo
    own: Box  # in the tile


class Reached(Exception):  # noqa: N818 - no error: it ends a tile's way through the net
    """The survey has taken what it was after from this tile."""


class OverPhoto(nn.Module):
    """A layer that looks over the whole photo. survey: what it asks while a photo is restored in tiles."""

    survey: Survey | None = None

    @property
    def looks_over_photo(self) -> bool:
        """Whether it does, as it is set."""
        return True

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """What a tile's own part adds to the knowledge of the photo."""
        raise NotImplementedError

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What the parts of all tiles say together."""
        raise NotImplementedError

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """Forward of a tile, when the photo is known."""
        raise NotImplementedError

    def looking_as_far(self) -> nn.Module:
        """What gives as many channels and looks as far around itself, where the photo is known."""
        return nn.Identity()


class Survey:
    """What a net's layers know of one photo, and the next one's numbers while they are collected."""

    def __init__(self) -> None:
        self.place: Place | None = None  # of the tile at work
        self._known: dict[OverPhoto, tuple[Tensor, ...]] = {}
        self._parts: list[tuple[Tensor, ...]] = []
        self._asking: OverPhoto | None = None

    def __len__(self) -> int:
        return len(self._known)

    def at(self, place: Place) -> Self:
        """This survey, before a tile."""
        self.place = place
        return self

    def forward(self, layer: OverPhoto, x_NCHW: Tensor) -> Tensor:
        """A layer's answer for the tile at work. Raises Reached at the first layer that does not know
        the photo yet, which has then been given the tile's own part.
        """
        known = self._known.get(layer)
        if known is not None:
            return layer.forward_tile(x_NCHW, known)
        assert self.place is not None
        rows, columns = (
            slice(begin * side // of, (begin + length) * side // of)
            for begin, length, side, of in (
                (self.place.own.top, self.place.own.height, x_NCHW.shape[2], self.place.tile.height),
                (self.place.own.left, self.place.own.width, x_NCHW.shape[3], self.place.tile.width),
            )
        )
        self._asking = layer
        self._parts.append(layer.part(x_NCHW[:, :, rows, columns]))
        raise Reached

    def settle(self) -> None:
        """All tiles were seen: the layer that was reached knows the photo from now on."""
        assert self._asking is not None
        self._known[self._asking] = self._asking.whole(self._parts)
        self._parts, self._asking = [], None


def moments(own_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number of px, mean and sum of squared differences from it, by channel, in float64."""
    count = own_NCHW.shape[2] * own_NCHW.shape[3]
    # Not E[x²] - E[x]², which loses what it is after where the mean is large.
    variance, mean = torch.var_mean(own_NCHW.float(), (0, 2, 3), correction=0)
    return torch.tensor(float(count), dtype=torch.float64), mean.double(), variance.double() * count


def joined_moments(parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, Tensor]:
    """Mean and variance by channel of all parts together (Chan et al. 1983, eq. 2.1), in float32."""
    count, mean, squares = parts[0]
    for more, its_mean, its_squares in parts[1:]:
        total = count + more
        away = its_mean - mean
        mean = mean + away * (more / total)
        squares = squares + its_squares + away.square() * (count * more / total)
        count = total
    return mean.float(), (squares / count).float()
