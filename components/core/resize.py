"""Smaller and larger pictures by the two rules that published super-resolution figures rest on.

"Bicubic" names different numbers in different libraries. Papers since 2014 make their small photos
with MATLAB's imresize, which widens its kernel when it shrinks (antialiasing); OpenCV's INTER_CUBIC
and torch's default do not, and take another kernel.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image

from components.core.errors import InputError
from components.core.images import Floats

REACH = 2  # the cubic kernel is zero beyond two pixels


def bicubic(photo: Floats, width: int, height: int) -> Floats:
    """Resize as MATLAB's imresize(photo, [height width], "bicubic") does: a = -0.5, antialiased,
    borders mirrored.

    photo: (H, W) or (H, W, C) float32, any range; width, height: px of the result, at least 1.
    Returns (height, width) or (height, width, C) float32, not clipped: the kernel overshoots at
    edges.
    Raises InputError for a size below 1.
    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981,
    eq. 15; where the picture shrinks by s, the kernel is stretched by s and its weights are divided
    by their sum.
    """
    _check_size(width, height)
    if photo.ndim == 3:
        return np.stack(
            [_bicubic_plane(photo[:, :, channel], width, height) for channel in range(photo.shape[2])], axis=2
        )
    return _bicubic_plane(photo, width, height)


def bilinear_plain(photo: Floats, width: int, height: int) -> Floats:
    """Resize by linear interpolation between the nearest pixels, without antialiasing: what
    OpenCV's INTER_LINEAR does.

    Shrinking by 4 then reads 4 of 16 pixels: fine detail turns into false patterns. Here because a
    published guide makes its photos so.
    photo: (H, W) or (H, W, C) float32; width, height: px of the result, at least 1. Returns
    float32.
    Raises InputError for a size below 1.
    """
    _check_size(width, height)
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _check_size(width: int, height: int) -> None:
    if min(width, height) < 1:
        raise InputError(f"a picture must be at least 1 × 1 px, asked was {width} × {height} px")


def _bicubic_plane(plane: Floats, width: int, height: int) -> Floats:
    """One channel, by Pillow, which computes in double precision with the same kernel but cuts it
    off at the border.

    So the border is mirrored first (the edge pixel repeated), as far as the kernel reaches, and
    `box` names the picture within.
    Rows first, then columns: left to itself Pillow begins with the columns where a picture is more
    than twice as high as wide, and rounds between the two, so that a part of a picture would not be
    the whole's.
    """
    rows, columns = plane.shape
    down, across = (
        REACH * math.ceil(max(have / want, 1.0)) + 1 for have, want in ((rows, height), (columns, width))
    )
    padded = Image.fromarray(
        np.pad(np.asarray(plane, np.float32), ((down, down), (across, across)), mode="symmetric")
    )
    narrow = padded.resize(
        (width, padded.height), Image.Resampling.BICUBIC, box=(across, 0, across + columns, padded.height)
    )
    return np.array(
        narrow.resize((width, height), Image.Resampling.BICUBIC, box=(0, down, width, down + rows)),
        dtype=np.float32,
    )
