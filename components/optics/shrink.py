"""Large photos made smaller by averaging areas of their light, a few rows at a time, so that no
float copy of the whole is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from components.core.images import Floats, Pixels, linear_of

ROWS = 64  # of the small picture at a time


def area_shrunk(pixels: Pixels, width: int, height: int) -> Iterator[tuple[int, Floats]]:
    """The mean light of the area that each pixel of a smaller picture covers, parts of pixels
    counted by their part.

    pixels: (H, W) or (H, W, 3), uint8 or uint16 sRGB; width, height: px of the result, no larger
    than the photo. Yields the first row of a band and its linear light, (at most ROWS, width) or
    (at most ROWS, width, 3) float32.
    """
    tall = len(pixels)
    for top in range(0, height, ROWS):
        stop = min(top + ROWS, height)
        first, last = top * tall // height, -(-stop * tall // height)
        rows = cv2.resize(
            linear_of(np.ascontiguousarray(pixels[first:last])),
            (width, last - first),
            interpolation=cv2.INTER_AREA,
        )
        band = np.empty((stop - top, *rows.shape[1:]), np.float32)
        for row in range(top, stop):
            # In units of 1/height of the photo's row: whole numbers, so that a row's weights sum to
            # 1.
            begin, end = row * tall, (row + 1) * tall
            covered = np.arange(begin // height, -(-end // height))
            weights = (np.minimum((covered + 1) * height, end) - np.maximum(covered * height, begin)) / tall
            np.einsum(
                "i,i...->...",
                weights.astype(np.float32),
                rows[covered[0] - first : covered[-1] + 1 - first],
                out=band[row - top],
            )
        yield top, band
