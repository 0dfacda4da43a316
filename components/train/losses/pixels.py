"""Distances of pixels to their neighbours, and of frequencies."""

from __future__ import annotations

import torch
from torch import Tensor


def variation(photo_NCHW: Tensor) -> Tensor:
    """mean |right - left| + mean |below - above|."""
    return photo_NCHW.diff(dim=-1).abs().mean() + photo_NCHW.diff(dim=-2).abs().mean()


def spectral_distance(restored: Tensor, target: Tensor) -> Tensor:
    """Mean of |Re| and |Im| of the two orthonormal spectra's difference, over all frequencies."""
    # Linear, so one transform of the difference does. A real photo's spectrum is mirrored: half of
    # it is computed, and all columns but those that are their own mirror image count twice.
    height, width = restored.shape[-2:]
    half = torch.view_as_real(torch.fft.rfft2(restored - target, norm="ortho")).abs().sum(-1)
    columns = half.mean(dim=(0, 1)).sum(dim=0)
    own = columns[0] + columns[-1] if width % 2 == 0 else columns[0]
    return (2 * columns.sum() - own) / (2 * height * width)
