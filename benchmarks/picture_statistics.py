"""Statistics that tell blurred photos from sharp ones, and real blur from made blur: gradients,
spectrum, noise, clipping, direction.

All are taken of the luma of a stored photo, (H, W, 3) uint8 sRGB, in levels of 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from components.core.images import Bytes8

Doubles = np.ndarray[Any, np.dtype[np.float64]]

TILE_PX = 128  # of the spectrum and the directions
BLOCK_PX = 16  # of the noise
FLATTEST = 0.1  # share of the blocks that the noise is taken from
CLIPPED = 254  # levels
STEEP = 16.0  # levels between neighbours
BINS = np.linspace(0, 8, 513)  # of log2(1 + |gradient|); 255 levels make 8
SLOPE_BAND = (0.03, 0.3)  # cycles a pixel
FINE = 0.25  # cycles a pixel; half of the range


@dataclass(frozen=True)
class Statistics:
    """Of one photo, or the mean of many."""

    gradients: Doubles  # (512,) shares of log2(1 + |difference of neighbours|) in BINS
    # (63,) log10 of the radial power at 1/128, 2/128, ... cycles a pixel, relative to the sum over
    # all
    spectrum: Doubles
    kurtosis: float  # of the differences; 3 for a normal distribution, more for heavy tails
    steep: float  # share of differences beyond STEEP
    slope: float  # of log power over log frequency
    fine: float  # share of the power beyond FINE
    noise: float  # standard deviation in flat areas, levels
    clipped: float  # share of pixels with a channel at white
    anisotropy: float  # median over tiles of the structure tensor's coherence, 0 to 1


def statistics_of(photo: Bytes8) -> Statistics:
    """Of one photo with sides of at least TILE_PX."""
    assert min(photo.shape[:2]) >= TILE_PX, f"sides of {TILE_PX} px or more, got {photo.shape}"
    luma = np.asarray(photo @ np.array([0.299, 0.587, 0.114]), np.float64)
    across, down = np.diff(luma, axis=1), np.diff(luma, axis=0)
    every = np.concatenate([across.ravel(), down.ravel()])
    size = np.abs(every)
    histogram = np.histogram(np.log2(1 + size), BINS)[0] / size.size
    power = radial_power(luma)
    frequencies = np.arange(1, power.size + 1) / TILE_PX
    rings = power * frequencies  # a ring holds the more pixels the larger it is
    band = (frequencies >= SLOPE_BAND[0]) & (frequencies <= SLOPE_BAND[1])
    slope = float(np.polyfit(np.log10(frequencies[band]), np.log10(power[band]), 1)[0])
    square = float(np.mean(every**2))
    return Statistics(
        gradients=histogram,
        spectrum=np.log10(power / power.sum()),
        kurtosis=float(np.mean(every**4)) / square**2,
        steep=float(np.mean(size > STEEP)),
        slope=slope,
        fine=float(rings[frequencies > FINE].sum() / rings.sum()),
        noise=noise_of(luma),
        clipped=float(np.mean(photo.max(axis=2) >= CLIPPED)),
        anisotropy=float(np.median([coherence(tile) for tile in tiles(luma)])),
    )


def mean_of(found: Sequence[Statistics]) -> Statistics:
    """Each photo counts the same."""
    return Statistics(
        **{
            name: np.mean([getattr(each, name) for each in found], axis=0)
            for name in Statistics.__dataclass_fields__
        }
    )


def gradient_distance(one: Statistics, other: Statistics) -> float:
    """Wasserstein distance of the two distributions of log2(1 + |gradient|): 1 is as if every
    gradient were about doubled.
    """
    apart = np.abs(np.cumsum(one.gradients) - np.cumsum(other.gradients))
    return float(apart.sum() * (BINS[1] - BINS[0]))


def spectrum_distance(one: Statistics, other: Statistics) -> float:
    """Mean difference of the two spectra over the rings, in decades of power."""
    return float(np.mean(np.abs(one.spectrum - other.spectrum)))


def tiles(luma: Doubles) -> list[Doubles]:
    """Squares of TILE_PX, overlapping by half."""
    height, width = luma.shape
    step = TILE_PX // 2
    return [
        luma[top : top + TILE_PX, left : left + TILE_PX]
        for top in range(0, height - TILE_PX + 1, step)
        for left in range(0, width - TILE_PX + 1, step)
    ]


def radial_power(luma: Doubles) -> Doubles:
    """Mean power at each distance from frequency 0, over all tiles: (63,) for 1 to 63 of 128 cycles
    a pixel.
    """
    window = np.hanning(TILE_PX + 1)[:-1]
    window = np.outer(window, window)
    total = sum(np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2 for tile in tiles(luma))
    each_way = np.fft.fftfreq(TILE_PX, 1 / TILE_PX)
    ring = np.rint(np.hypot(each_way[:, None], each_way[None, :])).astype(int).ravel()
    sums, counts = np.bincount(ring, np.asarray(total).ravel()), np.bincount(ring)
    return np.asarray(sums[1 : TILE_PX // 2] / counts[1 : TILE_PX // 2])


def noise_of(luma: Doubles) -> float:
    """Standard deviation in the flattest blocks, in levels, by Immerkær's mask, which straight
    edges and slopes do not move.

    Flat is told from the picture smoothed, so that blocks of little noise are not preferred; blocks
    near black or white are left out.
    Source: Immerkær, "Fast noise variance estimation", CVIU 1996.
    """
    mask = np.array([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = np.abs(cv2.filter2D(luma, -1, mask, borderType=cv2.BORDER_REFLECT_101))
    smooth = cv2.GaussianBlur(luma, (0, 0), 3)
    slope = np.hypot(*np.gradient(smooth))
    height, width = (side // BLOCK_PX * BLOCK_PX for side in luma.shape)
    blocks = [
        np.asarray(each[:height, :width])
        .reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
        .mean(axis=(1, 3))
        .ravel()
        for each in (response, slope, smooth)
    ]
    usable = (blocks[2] > 16) & (blocks[2] < 235)
    if not usable.any():
        return 0.0
    limit = np.quantile(blocks[1][usable], FLATTEST)
    return float(np.sqrt(np.pi / 2) / 6 * blocks[0][usable & (blocks[1] <= limit)].mean())


def coherence(tile: Doubles) -> float:
    """How much one direction prevails among a tile's gradients: 1 for stripes, 0 for none, also
    where there are no gradients.
    """
    down, across = np.gradient(tile)
    xx, yy, xy = float((across**2).sum()), float((down**2).sum()), float((across * down).sum())
    return float(np.hypot(xx - yy, 2 * xy) / (xx + yy)) if xx + yy > 0 else 0.0
