"""Near duplicates: the same photo resized, re-encoded or slightly brightened, which must not stand
in two splits.

Two photos are near duplicates when three things hold:
1. their 256-bit fingerprints (signs of the lowest DCT coefficients of a thumbnail, as in pHash,
Zauner 2010) differ in few bits;
2. their thumbnails, once brightness and contrast are matched, are nearly the same (correlation);
3. they have the same shape (sides in proportion). The first alone would call two smooth pictures
alike now and then, the second alone two skies with the same gradient. Crops, mirror images and
pictures turned on their side count as different photos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from components.core.images import Pixels

Thumbnail = npt.NDArray[np.uint16]
Words = npt.NDArray[np.uint64]

SIDE = 32  # px of a thumbnail
LOW = 16  # lowest DCT frequencies a side: LOW × LOW bits
CORRELATION = 0.985
SHAPE = 0.03  # largest difference of two aspect ratios, as a share
# 65536 levels; a thumbnail with less contrast (a quarter of an 8-bit level) shows nothing to
# compare
FLAT = 64.0
BLOCK = 256  # photos compared at once with all others: 256 × 20,000 distances are 5 MB


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Shrink a picture (H, W, 3) to (32, 32) uint16 grey by averaging areas; sides are not kept in
    proportion.
    """
    small = (
        cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        if pixels.dtype == np.uint16
        else _shrunk_8(pixels)
    )
    grey = small.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    made: Thumbnail = np.rint(np.clip(grey, 0, 65535)).astype(np.uint16)
    return made


def _shrunk_8(pixels: Pixels) -> npt.NDArray[np.float32]:
    # In floats, as rounding to 8 bits would drown the faint structure of a sky. Half way first, in
    # bytes, where there is
    # plenty: a float copy of a 200-megapixel photo would take 2.4 GB.
    height, width = pixels.shape[:2]
    room = 16 * SIDE
    if min(height, width) > room:
        pixels = cv2.resize(pixels, (room, room), interpolation=cv2.INTER_AREA)
    shrunk: npt.NDArray[np.float32] = cv2.resize(
        pixels.astype(np.float32) * 257.0, (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    return shrunk


def fingerprints(thumbnails: npt.NDArray[np.uint16]) -> Words:
    """256 bits a thumbnail: (N, 32, 32) to (N, 4) uint64. Brightness and contrast do not change
    them.
    """
    place, wave = np.arange(SIDE) + 0.5, np.arange(LOW)[:, None]
    basis = np.cos(np.pi / SIDE * wave * place).astype(
        np.float32
    )  # DCT-II without its scale, of which signs know nothing
    made = np.empty((len(thumbnails), LOW * LOW // 64), np.uint64)
    for start in range(0, len(thumbnails), BLOCK):
        block = thumbnails[start : start + BLOCK].astype(np.float32)
        waves = basis @ (block - block.mean(axis=(1, 2), keepdims=True)) @ basis.T
        bits = (waves > 0).reshape(len(block), -1)
        bits[:, 0] = False  # the mean
        made[start : start + BLOCK] = np.packbits(bits, axis=1).view(np.uint64)
    return made


def near_duplicates(
    thumbnails: npt.NDArray[np.uint16], shapes: npt.NDArray[np.float64], most_bits: int
) -> list[int]:
    """Group photos that are the same but for size, encoding or brightness.

    thumbnails: (N, 32, 32) uint16; shapes: (N,) width over height; most_bits: fingerprints farther
    apart are not compared.
    Returns for each photo the place of the first of its group, itself when alone.
    """
    groups = Groups(len(thumbnails))
    prints = fingerprints(thumbnails)
    for firsts, seconds in _candidates(prints, shapes, most_bits):
        rows = groups.roots()
        open_ = np.flatnonzero(rows[firsts] != rows[seconds])
        for start in range(0, len(open_), 4 * BLOCK):
            chosen = open_[start : start + 4 * BLOCK]
            alike = _correlations(thumbnails[firsts[chosen]], thumbnails[seconds[chosen]]) >= CORRELATION
            for first, second in zip(firsts[chosen[alike]], seconds[chosen[alike]], strict=True):
                groups.join(int(first), int(second))
    return [int(root) for root in groups.roots()]


def _candidates(
    prints: Words, shapes: npt.NDArray[np.float64], most_bits: int
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Pairs (first < second) with close fingerprints and the same shape, a block of firsts at a
    time.
    """
    for start in range(0, len(prints), BLOCK):
        mine, others = prints[start : start + BLOCK], prints[start:]
        distance = np.zeros((len(mine), len(others)), np.uint16)
        for word in range(prints.shape[1]):
            distance += np.bitwise_count(mine[:, None, word] ^ others[None, :, word])
        firsts, seconds = np.nonzero(distance <= most_bits)
        firsts, seconds = firsts + start, seconds + start
        close = (firsts < seconds) & (np.abs(shapes[firsts] / shapes[seconds] - 1) <= SHAPE)
        yield firsts[close], seconds[close]


def _correlations(some: npt.NDArray[np.uint16], others: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """Pearson's correlation of thumbnails, pair by pair; 0 where one is flat."""
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (some, others))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread = a.std(axis=1), b.std(axis=1)
    flat = np.minimum(*spread) < FLAT
    together: npt.NDArray[np.float64] = np.where(
        flat, 0.0, (a * b).mean(axis=1) / np.where(flat, 1.0, spread[0] * spread[1])
    )
    return together


class Groups:
    """Union-find: which things belong together when some pairs do."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, item: int) -> int:
        """The first of the item's group."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Make two groups one, named by its first item."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def roots(self) -> npt.NDArray[np.intp]:
        """The first of every item's group, in the items' order."""
        return np.array([self.root(item) for item in range(len(self._parent))], np.intp)


def first_of_groups(roots: Sequence[int]) -> dict[int, list[int]]:
    """Group members by their root, both in ascending order."""
    members: dict[int, list[int]] = {}
    for item, root in enumerate(roots):
        members.setdefault(root, []).append(item)
    return members
