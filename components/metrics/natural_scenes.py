"""How far a photo's local statistics are from those of sharp photos, without a target: the method of NIQE
(Mittal, Soundararajan & Bovik 2013, "Making a 'completely blind' image quality analyzer"), fitted to the
set's own sharp training photos.

Not the published NIQE: its parameters belong to other photos and are not used, so that values compare
within one set alone. Blur and noise both move it; so does any other change of texture, also a pleasant
one, and it knows nothing of what the scene held.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.core.errors import InputError
from components.core.levels import Pixels, to_float
from components.metrics.photos import check_photos

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float64]
PATCH_PX = 96  # of the first scale; half of it at the second (Mittal et al. 2013, sec. IV)
SMALLEST_PX = 2 * PATCH_PX  # a photo needs patches in the plural
SHARPEST = 0.75  # patches below this share of a photo's sharpest are no model of sharp ones (sec. III-B)
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours whose products are looked at


@dataclass(frozen=True)
class NaturalScenes:
    """A Gaussian over the features of sharp patches. photos: how many it was fitted to."""

    mean: Array
    covariance: Array
    photos: int

    @classmethod
    def fit(cls, photos: Iterable[Pixels]) -> NaturalScenes:
        """The model of sharp photos (H, W, 3). Raises InputError when they have too few sharp patches."""
        found, count = [], 0
        for photo in photos:
            if min(photo.shape[:2]) < PATCH_PX:
                continue
            features, sharpness = _features(photo)
            found.append(features[sharpness > SHARPEST * sharpness.max()])
            count += 1
        patches = np.concatenate(found) if found else np.empty((0, 36))
        if len(patches) < 2:
            raise InputError(
                f"nss_of_set is fitted to sharp training photos of {PATCH_PX} px a side or more, and there"
                f" are {len(patches)} patches of such; give larger photos, or leave the metric out"
            )
        return cls(patches.mean(0), np.cov(patches, rowvar=False), count)

    def distance(self, photo: Pixels) -> float:
        """How far a photo's patches are from the model (eq. 10): 0 for the same Gaussian. Raises InputError
        when the photo has too few patches.
        """
        if min(photo.shape[:2]) < SMALLEST_PX:
            raise InputError(
                f"nss_of_set needs photos of at least {SMALLEST_PX} px a side, got {photo.shape[1]} ×"
                f" {photo.shape[0]}"
            )
        features, _ = _features(photo)
        apart = self.mean - features.mean(0)
        both = (self.covariance + np.cov(features, rowvar=False)) / 2
        return float(np.sqrt(max(0.0, apart @ np.linalg.pinv(both) @ apart)))


def _features(photo: Pixels) -> tuple[Array, Array]:
    """(patches, 36) features of both scales, and each patch's sharpness: its mean local deviation."""
    import cv2

    grey = 255.0 * to_float(photo).astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    rows, columns = (side // PATCH_PX for side in grey.shape)
    grey = grey[: rows * PATCH_PX, : columns * PATCH_PX]
    found, sharpness = [], np.empty(0)
    for scale in (1, 2):
        normed, deviation = _normalised(grey)
        side = PATCH_PX // scale
        found.append(_statistics(_patches(normed, side)))
        if scale == 1:
            sharpness = _patches(deviation, side).mean((1, 2))
        grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.concatenate(found, axis=1), sharpness


def _normalised(grey: Array) -> tuple[Array, Array]:
    """Grey less its local mean over its local deviation, and that deviation (eq. 1 to 3)."""
    import cv2

    window: dict[str, Any] = {"ksize": (7, 7), "sigmaX": 7 / 6, "borderType": cv2.BORDER_REPLICATE}
    mean = cv2.GaussianBlur(grey, **window)
    deviation = np.sqrt(np.abs(cv2.GaussianBlur(grey * grey, **window) - mean * mean))
    return (grey - mean) / (deviation + 1.0), deviation


def _patches(plane: Array, side: int) -> Array:
    """(H, W) to (patches, side, side), beside each other."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return cut.swapaxes(1, 2).reshape(-1, side, side)


def _statistics(patches: Array) -> Array:
    """(patches, 18): shape and width of the values, then shape, mean and both widths of the products with
    four neighbours (eq. 4 to 9).
    """
    from scipy.special import gamma

    shape, left, right = _fitted(patches)
    columns = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _fitted(patches * np.roll(patches, shift, axis=(1, 2)))
        columns += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(columns, axis=1)


@functools.cache
def _shapes() -> tuple[Array, Array]:
    """Shapes of a generalised Gaussian, and the squared mean absolute value over the variance of each."""
    from scipy.special import gamma

    shapes = np.arange(0.2, 10.0, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _fitted(patches: Array) -> tuple[Array, Array, Array]:
    """Shape and left and right width of the asymmetric generalised Gaussian of each patch, by moments
    (Lasmar, Stitou & Berthoumieu 2009).
    """
    from scipy.special import gamma

    shapes, ratios = _shapes()
    values = patches.reshape(len(patches), -1)
    squares = values**2
    tiny = np.finfo(float).tiny
    sides = [
        np.sqrt((squares * side).sum(1) / np.maximum(side.sum(1), 1) + tiny)
        for side in (values < 0, values > 0)
    ]
    balance = sides[0] / sides[1]
    ratio = np.abs(values).mean(1) ** 2 / (squares.mean(1) + tiny)
    wanted = ratio * (balance**3 + 1) * (balance + 1) / (balance**2 + 1) ** 2
    shape = shapes[np.clip(np.searchsorted(ratios, wanted), 0, len(shapes) - 1)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, sides[0] * scale, sides[1] * scale


def nss_of_set(photos: Iterable[Pixels]) -> Callable[[Tensor, Tensor], Tensor]:
    """The metric of a set, from its sharp training photos: (1, 3, H, W) floats in [0, 1] twice to (1,)
    float64. What the photo is held against is not looked at.
    """
    model = NaturalScenes.fit(photos)

    def measured(restored: Tensor, target: Tensor) -> Tensor:
        import torch

        check_photos(restored, target, smallest_px=SMALLEST_PX, why="several patches")
        pixels = restored.detach().permute(0, 2, 3, 1).cpu().numpy()
        return torch.tensor([model.distance(photo) for photo in pixels], dtype=torch.float64)

    return measured


def unfitted(restored: Tensor, target: Tensor) -> Tensor:
    """Stands for the metric where no set is at hand."""
    raise InputError(
        "nss_of_set is fitted to a set's sharp training photos; measure on a set, or leave it out"
    )
