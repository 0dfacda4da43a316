"""Clips whose frames are all restored and held against their targets: each frame becomes a photo of the
batch, in a window of its own.
"""

from __future__ import annotations

import torch

from components.train.step.terms import Batch


def frame_by_frame(batch: Batch, frames: int) -> Batch:
    """Inputs (N, 3 (T + frames - 1), h, w) and targets (N, 3 frames, H, W) to windows (frames N, 3 T, h, w)
    and a target each, (frames N, 3, H, W).

    All first frames come before all second ones: of N images parted among workers each then has the rows
    that fall to it where all rows are parted, so that nothing else has to know of frames.
    """
    if frames == 1:
        return batch
    input, target = batch
    width = input.shape[1] - 3 * (frames - 1)
    windows = [input[:, 3 * frame : 3 * frame + width] for frame in range(frames)]
    return torch.cat(windows), torch.cat(torch.split(target, 3, dim=1))
