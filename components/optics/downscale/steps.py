"""What second_order does to a picture, step by step: all on sRGB values in [0, 1], (H, W) or (H, W,
3) float32.
"""

from __future__ import annotations

import cv2
import numpy as np

from components.core.images import Bytes8, Floats, jpeg_roundtrip, to_float, to_uint8
from components.optics.downscale.rounds import Mode

INTERPOLATION: dict[Mode, int] = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
}
PHOTONS = 256  # at white: what Real-ESRGAN's code counts for a photo with more than 128 levels


def filtered(picture: Floats, taps: Floats) -> Floats:
    """Convolved with a kernel that looks the same from the opposite side; borders are reflected."""
    return np.asarray(cv2.filter2D(picture, -1, taps, borderType=cv2.BORDER_REFLECT_101), np.float32)


def resized(picture: Floats, height: int, width: int, mode: Mode) -> Floats:
    """Resized as OpenCV does it: bilinear and bicubic (a = −0.75) without antialiasing, so that
    shrinking leaves false patterns; area means.
    """
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=INTERPOLATION[mode]), np.float32)


def with_gaussian(picture: Floats, sigma_levels: float, grey: bool, rng: np.random.Generator) -> Floats:
    """Normal noise of one standard deviation everywhere, in levels of 255; clipped."""
    normals = rng.standard_normal(_noise_shape(picture, grey), dtype=np.float32)
    normals *= np.float32(sigma_levels / 255)
    normals = normals + picture
    return np.clip(normals, 0, 1, out=normals)


def with_poisson(picture: Floats, strength: float, grey: bool, rng: np.random.Generator) -> Floats:
    """The error of counting PHOTONS at white, times `strength`; of the luma alone where it is grey;
    clipped.
    """
    seen = np.clip(picture, 0, 1)
    if grey and seen.ndim == 3:
        seen = np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), np.float32)[:, :, None]
    counted = rng.poisson(seen * np.float32(PHOTONS)).astype(np.float32)
    counted /= PHOTONS
    counted -= seen
    counted *= np.float32(strength)
    noisy: Floats = picture + counted
    return np.clip(noisy, 0, 1, out=noisy)


def _noise_shape(picture: Floats, grey: bool) -> tuple[int, ...]:
    return (*picture.shape[:2], 1) if grey and picture.ndim == 3 else picture.shape


def compressed(picture: Floats, quality: int) -> Floats:
    """What JPEG (8 bits, 4:2:0) leaves of it."""
    pixels = to_uint8(picture)
    if pixels.ndim == 2:
        return to_float(jpeg_roundtrip(np.repeat(pixels[:, :, None], 3, axis=2), quality)[:, :, 0])
    return to_float(jpeg_roundtrip(pixels, quality))


def unsharp_masked(pixels: Bytes8, side_px: int, amount: float, threshold_levels: float) -> Bytes8:
    """(H, W, 3) uint8 sRGB, its edges raised by `amount` of their difference from a Gaussian blur
    of `side_px`.

    Only where the difference is above the threshold, and softly around it, so that flat areas keep
    their noise.
    """
    picture = to_float(pixels)
    # Sigma 0 lets OpenCV take the one that fits the side: 8 px of 51.
    difference = picture - cv2.GaussianBlur(picture, (side_px, side_px), 0)
    mask = (np.abs(difference) * 255 > threshold_levels).astype(np.float32)
    mask = np.asarray(cv2.GaussianBlur(mask, (side_px, side_px), 0), np.float32)
    raised = np.clip(picture + np.float32(amount) * difference, 0, 1)
    return to_uint8(mask * raised + (1 - mask) * picture)
