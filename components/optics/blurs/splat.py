"""From where light went to a kernel: every sample of a path drops its share of light on the four
pixels around it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.optics.blurs.drawn_blur import Floats

Doubles = npt.NDArray[np.float64]


def splatted(places: Doubles, weights: Doubles) -> Floats:
    """Kernels of paths, the light of each sample shared bilinearly by four pixels, which keeps
    centroids to rounding.

    A photo that is shifted with bilinear interpolation for every sample, and averaged, is convolved
    with just this kernel.

    places: (B, n, 2) px, x then y, where the light of a point goes, (0, 0) being the middle pixel.
    weights: (n,) the samples' shares of the exposure, summing to 1.
    Returns (B, side, side) float32, side odd and the smallest that holds every path, each kernel
    summing to 1.

    >>> splatted(np.array([[[0.0, 0.0], [0.5, 0.0]]]), np.array([0.5, 0.5]))[0].tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.75, 0.25], [0.0, 0.0, 0.0]]
    """
    count = len(places)
    whole = np.floor(places)
    right = places - whole
    left = 1.0 - right
    corner = whole.astype(np.intp)
    lit = np.maximum(-corner, np.ceil(places).astype(np.intp))
    reach = max(0, int(lit.max()))
    # One row and column to spare: a sample that falls on the last pixel has an empty neighbour
    # beyond it.
    side = 2 * reach + 2
    index = (np.arange(count)[:, None] * side + corner[:, :, 1] + reach) * side + corner[:, :, 0] + reach
    where, light = np.empty((4, *index.shape), np.intp), np.empty((4, *index.shape))
    for quarter, (down, across, y, x) in enumerate(
        ((0, 0, left, left), (0, 1, left, right), (1, 0, right, left), (1, 1, right, right))
    ):
        np.add(index, down * side + across, out=where[quarter])
        np.multiply(weights * y[:, :, 1], x[:, :, 0], out=light[quarter])
    canvas = np.bincount(where.ravel(), weights=light.ravel(), minlength=count * side * side)
    return canvas.reshape(count, side, side)[:, :-1, :-1].astype(np.float32)


def trimmed(kernel: Floats) -> Floats:
    """The smallest kernel of odd sides with the same middle pixel that keeps all the light."""
    middle = kernel.shape[0] // 2, kernel.shape[1] // 2
    rows, columns = np.nonzero(kernel)
    down, across = int(np.abs(rows - middle[0]).max()), int(np.abs(columns - middle[1]).max())
    return np.ascontiguousarray(
        kernel[middle[0] - down : middle[0] + down + 1, middle[1] - across : middle[1] + across + 1]
    )
