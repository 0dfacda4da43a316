"""A blurred picture against its sharp one: how far apart they lie, whether they show the same, how
strong the blur is. Blur is not known, only its result.

All in linear light, where blur is an average: measured on stored values, shifts are off by 0.2 px
instead of 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from components.core.images import Floats, Pixels, linear_of

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear Rec. 709, which has sRGB's primaries
SIGMAS_PX = (
    12.0,
    5.0,
    # smoothing before pictures are laid on each other: far first, then exact; blur's own structure must
    # not be seen
)
LONG_SIDE_PX = 640  # shifts are measured on pictures shrunk to this
WINDOW_PX = 256  # of the transfer function
HALF = 0.5  # the transfer function is fitted where it keeps more than this
FEWEST = 8  # frequencies for four unknowns


@dataclass(frozen=True)
class Comparison:
    """What the pair of pictures tells. Rounded, so that another processor finds the same."""

    shift_px: tuple[
        float, float
    ]  # (x, y): what is seen at p in the sharp picture lies at p + shift in the blurred one
    likeness: float  # correlation of the two, smoothed and laid on each other
    severity_px: float  # RMS radius of the blur


def compared(input: Pixels, target: Pixels) -> Comparison:
    """Compare two pictures (H, W, 3) of one size, uint8 or uint16 sRGB.

    Of pictures that show nothing alike, or nothing at all, likeness is 0 and the rest means
    nothing.
    """
    assert input.shape == target.shape, f"one size is compared, got {input.shape} and {target.shape}"
    light, clear = (linear_of(pixels) @ LUMINANCE for pixels in (input, target))
    shift, likeness = shift_of(light, clear)
    severity = radius_of(light, clear, shift) if likeness > 0 else 0.0
    return Comparison((round(shift[0], 2), round(shift[1], 2)), round(likeness, 4), round(severity, 2))


def shift_of(input: Floats, target: Floats) -> tuple[tuple[float, float], float]:
    """How far (x, y) px the blurred picture lies to the right of and below the sharp one, and their
    correlation there. (H, W) linear light.

    The centroid of the blur counts as its place: the shift that lays the smoothed pictures on each
    other best, found by maximising their correlation (ECC, Evangelidis and Psarakis, PAMI 2008).
    Neither brightness nor contrast matters.
    """
    shrunk = max(1.0, max(target.shape) / LONG_SIDE_PX)
    size = (max(1, round(target.shape[1] / shrunk)), max(1, round(target.shape[0] / shrunk)))
    small = [
        cv2.resize(light, size, interpolation=cv2.INTER_AREA) if shrunk > 1 else light
        for light in (target, input)
    ]
    if min(float(light.std()) for light in small) < 1e-5:
        return (0.0, 0.0), 0.0
    warp, likeness = np.eye(2, 3, dtype=np.float32), 0.0
    enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-6)
    for sigma in SIGMAS_PX:
        soft = [cv2.GaussianBlur(light, (0, 0), min(sigma / shrunk, min(size) / 8)) for light in small]
        try:
            likeness, warp = cv2.findTransformECC(
                soft[0], soft[1], warp, cv2.MOTION_TRANSLATION, enough, None, 1
            )
        except cv2.error:  # it gives up on pictures that have nothing in common
            return (0.0, 0.0), 0.0
    x, y = float(warp[0, 2]) * target.shape[1] / size[0], float(warp[1, 2]) * target.shape[0] / size[1]
    if not np.isfinite([x, y, likeness]).all():
        return (0.0, 0.0), 0.0
    return (x, y), max(0.0, float(likeness))


def radius_of(input: Floats, target: Floats, shift_px: tuple[float, float]) -> float:
    """RMS radius in px of the blur that lies between two pictures (H, W), whatever its form.

    The transfer function H from sharp to blurred falls from 1 at frequency 0 as 1 - 2π² f'Σf, where
    Σ is the covariance of the PSF and its trace the squared radius. H is the least-squares one over
    all windows (cross spectrum over power spectrum, Welch 1967), so that of a blur that varies it
    is the mean. log H is fitted by c - 2π² f'Σf where H is above one half (c takes up another
    exposure): no deconvolution, no PSF to threshold.
    """
    x, y = round(shift_px[0]), round(shift_px[1])
    input, target = input[max(0, y) :, max(0, x) :], target[max(0, -y) :, max(0, -x) :]
    height, width = min(input.shape[0], target.shape[0]), min(input.shape[1], target.shape[1])
    input, target = input[:height, :width], target[:height, :width]
    cross, power, vertical, horizontal = _spectra(input, target, min(WINDOW_PX, height, width))
    # The rest of the shift, less than a pixel, is a slope of the phase.
    turned = cross * np.exp(2j * np.pi * (horizontal * (shift_px[0] - x) + vertical * (shift_px[1] - y)))
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(power > 0, turned.real / power, 0.0)
    squared, variance = horizontal**2 + vertical**2, 25.0
    for _ in range(12):
        near = (squared > 0) & (np.exp(-(np.pi**2) * variance * squared) > HALF)
        if near.sum() < FEWEST:
            break
        h = np.clip(kept[near], 1e-3, None)
        certain = np.sqrt(power[near] * squared[near]) * h
        quadratic = (horizontal[near] ** 2, vertical[near] ** 2, 2 * horizontal[near] * vertical[near])
        terms = -2 * np.pi**2 * np.stack([*quadratic, np.ones_like(h)], axis=1)
        solved = np.linalg.lstsq(terms * certain[:, None], np.log(h) * certain, rcond=None)[0]
        variance = max(float(solved[0] + solved[1]), 0.0)
    return float(np.sqrt(variance))


def _spectra(input: Floats, target: Floats, side: int) -> tuple[npt.NDArray[Any], ...]:
    """Cross spectrum and the sharp one's power over half-overlapping Hann windows; with the
    vertical and horizontal frequency of each value, cycles/px.
    """
    window = np.outer(np.hanning(side), np.hanning(side))
    cross, power = np.zeros((side, side // 2 + 1), np.complex128), np.zeros((side, side // 2 + 1))
    for top in _starts(target.shape[0], side):
        for left in _starts(target.shape[1], side):
            one, other = (
                np.fft.rfft2((cut - cut.mean()) * window)
                for cut in (light[top : top + side, left : left + side] for light in (input, target))
            )
            cross += one * other.conj()
            power += np.abs(other) ** 2
    vertical, horizontal = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    return cross, power, vertical, horizontal


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin: at most half a window apart, the first and last at the borders."""
    count = max(1, int(np.ceil(2 * length / side)) - 1)
    return sorted({int(start) for start in np.linspace(0, length - side, count)})
