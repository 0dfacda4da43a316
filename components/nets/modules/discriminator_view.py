"""What a discriminator is shown of a photo."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from components.nets.discriminators import Discriminator


def discriminator_view(part: Discriminator, photo_NCHW: Tensor, input_NCHW: Tensor) -> Tensor:
    """The photo, behind its input when the discriminator is conditional, smaller when it shrinks.

    input_NCHW: the generator's input; a smaller one (super-resolution) is enlarged bicubically
    (a = -0.5) to the photo's size.
    """
    shown = (
        torch.cat([_enlarged(input_NCHW, photo_NCHW), photo_NCHW], dim=1) if part.conditional else photo_NCHW
    )
    return F.avg_pool2d(shown, part.shrink) if part.shrink > 1 else shown


def _enlarged(input_NCHW: Tensor, photo_NCHW: Tensor) -> Tensor:
    if input_NCHW.shape[2:] == photo_NCHW.shape[2:]:
        return input_NCHW
    # antialias changes nothing when enlarging, but for the kernel: a = -0.5, as MATLAB and Pillow
    # have it, instead of -0.75.
    return F.interpolate(input_NCHW, size=photo_NCHW.shape[2:], mode="bicubic", antialias=True)
