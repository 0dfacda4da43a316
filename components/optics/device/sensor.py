"""What a sensor of colour filters does around the noise, by torch: `components/optics/develop.py`
for a batch of parts of photos.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from components.optics.demosaic import REACH, filters
from components.optics.sensor import Demosaic

Noisy = Callable[[Tensor, Tensor | None], Tensor]
Mirror = Callable[[Tensor], Tensor]


def in_colours(light: Tensor, matrices: Tensor) -> Tensor:
    """(N, 3, H, W) times each part's own (3, 3) matrix."""
    # Not a product of matrices: a GPU may take those in fewer bits.
    return (matrices[:, :, :, None, None] * light[:, None]).sum(2)


def balanced(raw: Tensor, gains: Tensor) -> Tensor:
    """Raw values with the white balance, clipped."""
    return (raw * gains).clamp_(0, 1)


def mosaic_of(light: Tensor, full: Tensor | None, red: Tensor, gains: Tensor, noisy: Noisy) -> Tensor:
    """(N, 3, H, W) camera colours to the white-balanced mosaic, (N, 1, H, W).

    red: (N, 2) int64, row and column of the first red pixel; gains: (N, 3); noisy: adds the noise
    to raw values, given where the sensor is full.
    """
    down, across = _phases(light, red)
    colour = (down + across)[:, None]  # of red's sites 0, green's 1, blue's 2
    raw = light.gather(1, colour)
    return balanced(
        noisy(raw, None if full is None else full.gather(1, colour)),
        gains.gather(1, colour.flatten(1)).view_as(raw),
    )


def demosaicked(mosaic: Tensor, red: Tensor, kind: Demosaic) -> Tensor:
    """(N, 1, H, W) to (N, 3, H − 4, W − 4), measured values kept. red: of the whole mosaic."""
    # In 64 bits: a GPU may take 32 for fewer.
    filtered = F.conv2d(mosaic.double(), _filters_on(kind, mosaic.device)).float()
    green, beside, below, diagonal = filtered.unbind(1)
    own = mosaic[:, 0, REACH:-REACH, REACH:-REACH]
    down, across = (phase[:, REACH:-REACH, REACH:-REACH].bool() for phase in _phases(mosaic, red))
    reds = torch.where(down, torch.where(across, diagonal, below), torch.where(across, beside, own))
    blues = torch.where(down, torch.where(across, own, beside), torch.where(across, below, diagonal))
    return torch.stack([reds, torch.where(down == across, green, own), blues], 1)


def _phases(picture: Tensor, red: Tensor) -> tuple[Tensor, Tensor]:
    """Of each pixel, 0 in rows (columns) of red and 1 in those of blue: two of (N, H, W) int64."""
    height, width = picture.shape[2:]
    rows, columns = (torch.arange(side, device=picture.device) for side in (height, width))
    down, across = (rows - red[:, :1]) & 1, (columns - red[:, 1:]) & 1
    return down[:, :, None].expand(-1, height, width), across[:, None, :].expand(-1, height, width)


@cache
def _filters_on(kind: Demosaic, device: torch.device) -> Tensor:
    """(4, 1, k, k) float64."""
    found = filters(kind)
    each = np.stack([found["green"], found["across"], found["down"], found["diagonal"]])
    return torch.from_numpy(each)[:, None].to(device).double()
