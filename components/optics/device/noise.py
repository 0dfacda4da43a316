"""Normal numbers by place, by torch: the bits of `components/optics/noise.py`, for a batch of parts
of photos at once.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from components.optics.noise import HASH_INCREMENT, HASH_MULTIPLIER, LEVELS, quantiles

WORD = (1 << 32) - 1


def normal_field(keys: Tensor, tops: Tensor, lefts: Tensor, height: int, width: int, channels: int) -> Tensor:
    """Standard normal numbers for parts of photos.

    keys: (N, 3) int64, `noise.origin` of each photo's seed; tops, lefts: (N,) int64, where each
    part begins in its photo.
    channels: 1 to 3.
    Returns (N, channels, height, width) float32.
    """
    rows, columns = (torch.arange(side, device=keys.device) for side in (height, width))
    down, across = tops[:, None] + rows, lefts[:, None] + columns
    # Two neighbouring pixels share their words: the left one has the lower halves, the right one
    # the upper.
    x = ((across >> 1) + keys[:, 0, None] & WORD)[:, None, :]
    y = (down + keys[:, 1, None] & WORD)[:, :, None]
    words = torch.stack(_hashed(x, y, keys[:, 2, None, None])[:channels], 1)
    halves = words >> ((across & 1) * 16)[:, None, None, :] & LEVELS - 1
    return _quantiles(keys.device)[halves]


def _hashed(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """pcg3d in 64-bit words: products overflow, and their lower 32 bits are right all the same."""
    x, y, z = ((word * HASH_MULTIPLIER + HASH_INCREMENT) & WORD for word in (x, y, z))
    for last in (False, True):
        x = (x + y * z) & WORD
        y = (y + z * x) & WORD
        z = (z + x * y) & WORD
        if not last:
            x, y, z = (word ^ (word >> 16) for word in (x, y, z))
    return x, y, z


@cache
def _quantiles(device: torch.device) -> Tensor:
    return torch.from_numpy(quantiles().copy()).to(device)
