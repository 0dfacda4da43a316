"""Normal random numbers by place: the value of a pixel depends on the seed and where it lies, not
on what else is drawn.

So a crop has the noise of its place in the whole photo, a photo can be made in bands, and a GPU,
which draws all pixels at once,
gets the same bits: there is nothing but whole numbers and one table here.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from components.core.seeds import seed_of

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

HASH_MULTIPLIER, HASH_INCREMENT = 1664525, 1013904223
LEVELS = 1 << 16  # normal numbers that are told apart: the most extreme are ±4.2


def normal_field(
    seed: int, height: int, width: int, *, channels: int = 3, top: int = 0, left: int = 0
) -> Floats:
    """Standard normal numbers for the pixels of a photo, or of a part of it that begins at (top,
    left).

    channels: 1 to 3; the first ones are the same whatever their number.
    Returns (height, width, channels) float32, independent between pixels, channels and seeds.
    Source: Jarzyński & Olano 2020, "Hash functions for GPU rendering", pcg3d; its 16-bit halves
    pick from the normal distribution's quantiles.

    >>> bool((normal_field(7, 4, 6)[1:, 3:] == normal_field(7, 3, 3, top=1, left=3)).all())
    True
    """
    begin, stop = left // 2, (left + width + 1) // 2
    words = hashed(*places(seed, top, height, begin, stop))[:channels]
    halves = np.empty((height, stop - begin, 2, channels), np.uint16)
    for channel, word in enumerate(words):
        halves[:, :, 0, channel] = word & np.uint32(0xFFFF)
        halves[:, :, 1, channel] = word >> np.uint32(16)
    flat = halves.reshape(height, -1, channels)[:, left - 2 * begin : left - 2 * begin + width]
    return np.take(quantiles(), flat)


def places(seed: int, top: int, height: int, begin: int, stop: int) -> tuple[Words, Words, Words]:
    """The three whole numbers that are hashed for each two neighbouring pixels: (1, pairs),
    (height, 1) and (1, 1) uint32.
    """
    x, y, z = origin(seed)
    across = (np.arange(begin, stop, dtype=np.uint64) + np.uint64(x)).astype(np.uint32)
    down = (np.arange(top, top + height, dtype=np.uint64) + np.uint64(y)).astype(np.uint32)
    return across[None, :], down[:, None], np.array([[z]], np.uint32)


def origin(seed: int) -> tuple[int, int, int]:
    """The whole numbers below 2^32 that are hashed for a photo's first two pixels: across, down,
    and one that stays.
    """
    key = seed_of(seed, "normal field")
    return key >> 48, ((key >> 32) & 0xFFFF) * LEVELS, key & 0xFFFFFFFF


def hashed(x: Words, y: Words, z: Words) -> tuple[Words, Words, Words]:
    """pcg3d: three words that look random for every three that are given; whole numbers wrap at
    2^32.
    """
    multiplier, increment = np.uint32(HASH_MULTIPLIER), np.uint32(HASH_INCREMENT)
    x, y, z = (word * multiplier + increment for word in (x, y, z))
    for last in (False, True):
        x = x + y * z
        y = y + z * x
        z = z + x * y
        if not last:
            x, y, z = (word ^ (word >> np.uint32(16)) for word in (x, y, z))
    return x, y, z


@cache
def quantiles() -> Floats:
    """The LEVELS normal numbers, rising, of equal chance, their variance exactly 1 but for
    rounding.
    """
    from scipy.special import ndtri

    table = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    table = (table / np.sqrt(np.mean(table**2))).astype(np.float32)
    table.setflags(write=False)
    return np.asarray(table)
