"""Look at the averaged generator during training: PSNR and SSIM on validation pairs, beside doing nothing, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from components.core.images import read_rgb, to_float, to_uint8
from components.core.records import Pair
from components.metrics import psnr_rgb, ssim_gauss11_rgb
from components.nets.restore import Restorer
from components.train.world import World

Picture = np.ndarray[Any, np.dtype[np.uint8]]
NAMES = ("psnr_rgb", "ssim_gauss11_rgb")


def validate(net: nn.Module, stride: int, folder: Path, pairs: Sequence[Pair], world: World) -> tuple[dict[str, float], Picture | None]:
    """Mean metrics over the pairs, the work shared over the workers, and blurred | restored | sharp of the first (on the leader).

    Restored photos are rounded to 8 bit first, as a user would save them.
    """
    restorer = Restorer(net, stride=stride, device=str(world.device))
    sums = torch.zeros(4, dtype=torch.float64)
    picture: Picture | None = None
    for place in range(world.rank, len(pairs), world.size):
        blurred, sharp = (read_rgb(folder / name) for name in (pairs[place].blurred, pairs[place].sharp))
        restored = to_uint8(restorer.restore(to_float(blurred)))
        for offset, seen in ((0, restored), (2, blurred)):
            ours, truth = (torch.from_numpy(to_float(picture)).permute(2, 0, 1)[None] for picture in (seen, sharp))
            sums[offset] += psnr_rgb(ours, truth).item()
            sums[offset + 1] += ssim_gauss11_rgb(ours, truth).item()
        if place == 0:
            picture = np.concatenate([blurred, restored, sharp], axis=1)
    means = (world.total(sums.to(world.device)) / len(pairs)).tolist()
    restored_means, blurred_means = means[:2], means[2:]
    scores = {f"validation/{name}": value for name, value in zip(NAMES, restored_means, strict=True)}
    gains = {f"validation/{name}_gain": value - base for name, value, base in zip(NAMES, restored_means, blurred_means, strict=True)}
    return scores | gains, picture
