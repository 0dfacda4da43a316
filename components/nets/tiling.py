"""A photo of any size through a net of any runtime: padding to what the net takes, overlapping tiles
in bounded memory. Numpy alone, so that an exported file is run with the same code.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from components.core.errors import InputError
from components.core.levels import Pixels, bits_of, to_float, to_pixels
from components.core.memory import give_back, is_spent
from components.nets.tiles import Strip, Tile, joined, tiles_of

OVERLAP_PX = 64
Photo = np.ndarray[Any, np.dtype[np.float32]]


class TiledRestorer(ABC):
    """A net ready for photos of any size, whatever runs it.

    A photo whose restoration has no more px than a tile (tile_px squared) goes through whole; a larger
    one in tiles, so that memory stays that of one tile. Where it is known how far the net looks
    (`_reach_px`), each tile is given as much of the photo around its own part, and the picture is that
    of the whole photo. Else tiles overlap and are joined by a linear ramp, and where a net normalises or
    attends over the photo each tile sees itself alone.
    """

    def __init__(self, *, stride: int, scale: int, smallest_px: int, tile_px: int, window: int = 1) -> None:
        """stride: sides of the input are multiples of it; scale: side of the output over side of the
        input; smallest_px: least side of the input; tile_px: in px of the restored photo; an enlarging
        net is given tiles as many times smaller, but never less than overlap or reach need; window:
        frames that the net is given, the middle one of which it restores.
        """
        if tile_px < 4 * OVERLAP_PX:
            raise InputError(
                f"tile_px must be at least {4 * OVERLAP_PX} (tiles overlap by {OVERLAP_PX} px on each side),"
                f" got {tile_px}"
            )
        self.stride, self.scale, self.smallest_px, self.tile_px = stride, scale, smallest_px, tile_px
        self.window = window
        # In px of the input. What SRResNet sees beyond 16 px changes a tile by a tenth of a
        # level; 64 would double the work of its small tiles.
        self._overlap = OVERLAP_PX if scale == 1 else OVERLAP_PX // 2
        self._tile = max(tile_px // scale, 4 * self._overlap, stride + 2 * self._overlap)
        self._asked_px, self._asked_tile = tile_px, self._tile

    def restore(self, photo: Photo) -> Photo:
        """(H, W, 3) float32 in [0, 1] to (scale · H, scale · W, 3), not clipped: values outside
        tell of a net that runs away. A net of video takes (H, W, 3 · window), frames in the order of
        time; a single photo is to it a clip in which nothing moves.

        Raises InputError for another shape.
        """
        photo = self._windowed(photo)
        result = np.empty((self.scale * photo.shape[0], self.scale * photo.shape[1], 3), np.float32)

        def put(rows: slice, columns: slice, piece: Photo) -> None:
            result[rows, columns] = piece

        self._each_piece(photo, put)
        return result

    def alone(self, height: int, width: int) -> bool:
        """Whether tiles of such a photo see themselves alone, although the net would look over all of it
        and nobody chose so.
        """
        return False

    def tiles_decide(self, height: int, width: int) -> int | None:
        """The tile's side that was asked for, where such a photo's picture hangs on it; None where it goes
        through whole, or in tiles that give the whole.
        """
        whole = height * width <= self._asked_tile**2 or self._reach_px() is not None
        return None if whole else self._asked_px

    def restore_pixels(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) uint8 or uint16 to the same of (scale · H, scale · W, 3): what lies outside is
        clipped. Beside the two pictures this takes the memory of a few tiles.

        Raises InputError for another shape.
        """
        pixels = self._windowed(pixels)
        bits = bits_of(pixels)
        result = np.empty((self.scale * pixels.shape[0], self.scale * pixels.shape[1], 3), pixels.dtype)

        def put(rows: slice, columns: slice, piece: Photo) -> None:
            result[rows, columns] = to_pixels(piece, bits)

        self._each_piece(pixels, put)
        return result

    def _windowed(self, photo: Pixels) -> Pixels:
        """What the net is given: the window, or the one photo as often as the window is long."""
        frames = photo.shape[2] // 3 if photo.ndim == 3 else 0
        if frames not in (1, self.window) or photo.shape[2] % 3 or min(photo.shape[:2]) < 1:
            video = (
                f", or (height, width, {3 * self.window}) for {self.window} frames" if self.window > 1 else ""
            )
            raise InputError(
                f"a photo must be (height, width, 3){video}, got shape {photo.shape}; repeat a grey photo"
                " three times and drop alpha"
            )
        return photo if frames == self.window else np.tile(photo, (1, 1, self.window))

    def _each_piece(self, photo: Pixels, put: Callable[[slice, slice, Photo], None]) -> None:
        """Give all pieces; where memory does not hold a tile, the photo begins anew with tiles of half
        the side, and so do those after it. Raises what memory's end raises when the smallest do not fit.
        """
        while True:
            try:
                for rows, columns, piece in self._pieces(photo):
                    put(rows, columns, piece)
                    give_back()
                return
            except Exception as error:
                if not self._is_out_of_memory(error) or self._tile <= self._least():
                    raise
            self._tile = max(self._least(), min(self._tile, max(photo.shape[:2])) // 2)
            self.tile_px = self._tile * self.scale

    def _is_out_of_memory(self, error: Exception) -> bool:
        """Whether smaller tiles may help."""
        return is_spent(error)

    def _least(self) -> int:
        """The smallest tile's side, in px of the input."""
        reach = self._reach_px()
        if reach is None:
            return max(4 * self._overlap, self.stride + 2 * self._overlap)
        return 2 * reach + _up(max(self._overlap, reach // 2), self.stride)

    def _pieces(self, photo: Pixels) -> Iterator[tuple[slice, slice, Photo]]:
        """The restored photo's pieces, and the rows and columns that they fill."""
        height, width = photo.shape[:2]
        with self._one_photo():
            if height * width <= self._tile**2:
                yield slice(None), slice(None), self._whole(to_float(photo))
                return
            reach = self._reach_px()
            if reach is not None:
                yield from self._exact_pieces(photo, reach)
                return
            rows, columns = (_spans(side, self._tile, self.stride, self._overlap) for side in (height, width))
            yield from joined(
                [self._strip(span, height) for span in rows],
                [self._strip(span, width) for span in columns],
                lambda row, column: self._whole(to_float(photo[rows[row], columns[column]])),
            )

    def _exact_pieces(self, photo: Pixels, reach: int) -> Iterator[tuple[slice, slice, Photo]]:
        """Each tile with the photo around it as far as the net looks: the pieces of the whole."""
        height, width = photo.shape[:2]
        down, right, reflected = self._padding(height, width)
        mode: Any = "reflect" if reflected else "edge"
        rows, columns = (
            np.pad(np.arange(side), (0, more), mode) for side, more in ((height, down), (width, right))
        )
        side = max(self._tile, self._least()) - 2 * reach
        tiles = tiles_of(len(rows), len(columns), side, stride=self.stride, around=reach)

        def seen(tile: Tile) -> Photo:
            return to_float(photo[np.ix_(rows[tile.rows], columns[tile.columns])])

        self._look_over(seen, tiles)
        for tile in tiles:
            top, left = (self.scale * own.start for own in tile.own)
            bottom, end = (
                self.scale * min(own.stop, side) for own, side in zip(tile.own, (height, width), strict=True)
            )
            if bottom <= top or end <= left:  # of the padding alone
                continue
            above, before = self.scale * tile.rows.start, self.scale * tile.columns.start
            piece = self._tile_of_whole(seen(tile), tile)[top - above : bottom - above]
            yield slice(top, bottom), slice(left, end), piece[:, left - before : end - before]

    def _strip(self, span: slice, length: int) -> Strip:
        place = slice(self.scale * span.start, self.scale * span.stop)
        return Strip(place, _ramp(place, self.scale * length, self.scale * self._overlap))

    def _padding(self, height: int, width: int) -> tuple[int, int, bool]:
        """Rows and columns to be added below and to the right of a photo (height, width) for the net to
        take it, and whether they can be reflected: that needs more px than it adds, and a smaller photo is
        extended by its edge instead.
        """
        down, right = (max(-side % self.stride, self.smallest_px - side) for side in (height, width))
        return down, right, down < height and right < width

    def _reach_px(self) -> int | None:
        """How far the net looks, in px of the input, a multiple of the stride; None where that is not
        known, or where a tile is to see itself alone.
        """
        return None

    def _look_over(self, seen: Callable[[Tile], Photo], tiles: Sequence[Tile]) -> None:
        """Learn of a photo what must be known of all of it before its tiles are restored: here nothing."""
        return

    def _tile_of_whole(self, photo: Photo, tile: Tile) -> Photo:
        """What a tile sees, through the net as part of the whole photo; as `_whole`."""
        return self._whole(photo)

    @contextlib.contextmanager
    def _one_photo(self) -> Iterator[None]:
        """Holds for the length of one photo."""
        yield

    @abstractmethod
    def _whole(self, photo: Photo) -> Photo:
        """(H, W, 3 · window) in [0, 1] through the net at once: (scale · H, scale · W, 3)."""


def _up(value: int, stride: int) -> int:
    """The next multiple of the stride."""
    return -(-value // stride) * stride


def _spans(length: int, tile: int, stride: int, overlap: int) -> list[slice]:
    """The tiles along one axis, evenly spread. They begin on the net's own grid, so that a tile
    sees what the whole photo would show.
    """
    if length <= tile:
        return [slice(0, length)]
    # Rounding up to the grid parts two tiles by up to stride - 1 px more; each pair must still
    # share its ramp.
    furthest = min(tile - 2 * overlap, tile - overlap - stride + 1)
    count = -(-(length - tile) // furthest) + 1
    starts = sorted(
        {-(-index * (length - tile) // ((count - 1) * stride)) * stride for index in range(count)}
    )
    return [slice(start, length if start == starts[-1] else start + tile) for start in starts]


def _ramp(span: slice, length: int, overlap: int) -> Photo:
    """Weight of a tile along one axis: 1 inside, falling over the overlap, but not at the photo's
    own border.

    The outer half of the overlap counts next to nothing: there the net saw the tile's border, not
    what lies beyond it.
    """
    weight = np.ones(span.stop - span.start, np.float32)
    rising = np.maximum(np.linspace(-1.0, 1.0, overlap, dtype=np.float32), 1e-6)
    if span.start > 0:
        weight[:overlap] = rising
    if span.stop < length:
        weight[-overlap:] = rising[::-1]
    return weight
