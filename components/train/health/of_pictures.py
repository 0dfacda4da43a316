"""What restored pictures tell of a generator's health beside their quality: are they all alike, has
their colour moved, is there a grid on them?

Everything is kept as sums, so that workers who each saw some of the pictures add theirs up and know
what one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Picture = np.ndarray[Any, np.dtype[np.uint8]]

CHANNELS = ("red", "green", "blue")
THUMB_PX = 8
THUMB_VALUES = 3 * THUMB_PX**2
LEAST_DIFFERENCE = 1e-3  # 8-bit levels: targets that differ by less are one photo

TILE_PX = 64
MOST_TILES = 16  # along each side: a large picture is sampled, so that none costs much
# Bins (down, across) of a tile's spectrum where periods of 2 and 4 px show; one of each mirrored
# pair, and not the mean.
GRID = ((0, 16), (0, 32), (16, 0), (32, 0), (16, 16), (16, 32), (32, 16), (32, 32), (48, 16))
# Steps to the bins beside: farther than the tile's soft edge smears a line, nearer than the lines
# at 8 px that JPEG leaves.
BESIDE = (-5, -4, -3, 3, 4, 5)
# Noise that is always thought there, as a standard deviation in 8-bit levels: against less, a grid
# of a third of a level counts.
FLOOR_LEVELS = 4.0

# Sums, in this order: pictures, pictures large enough for a tile, grid scores (2), colour shifts
# (3), squares of thumbnails (2), thumbnails (2 × 192).
LENGTH = 9 + 2 * THUMB_VALUES


class PictureHealth:
    """Sums over pictures, from which `values` makes the indicators."""

    def __init__(self) -> None:
        self._sums = torch.zeros(LENGTH, dtype=torch.float64)

    def add(self, restored: Picture, target: Picture) -> None:
        """Take in one pair: (H, W, 3) uint8, both of one size. Pairs may differ in size."""
        assert restored.shape == target.shape, (
            f"a pair's pictures have one size, got {restored.shape} and {target.shape}"
        )
        assert restored.dtype == target.dtype == np.uint8, (
            f"pictures are uint8, got {restored.dtype} and {target.dtype}"
        )
        pair = [
            torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float()
            for picture in (restored, target)
        ]
        means = [photo.double().mean((1, 2)) for photo in pair]
        thumbs = [F.adaptive_avg_pool2d(photo, THUMB_PX).flatten().double() for photo in pair]
        grids = torch.zeros(3, dtype=torch.float64)
        if min(restored.shape[:2]) >= TILE_PX:
            grids = torch.tensor([1.0, *(grid_score(photo) for photo in pair)], dtype=torch.float64)
        squares = torch.stack([thumb.square().sum() for thumb in thumbs])
        self._sums += torch.cat(
            [torch.ones(1, dtype=torch.float64), grids, means[0] - means[1], squares, *thumbs]
        )

    def sums(self) -> Tensor:
        """All sums, (LENGTH,) float64: those of several workers are added."""
        return self._sums.clone()

    @staticmethod
    def values(sums: Tensor) -> dict[str, float]:
        """The indicators, by the names that the log and `Watch` know them by; empty when no picture
        was seen.

        health/diversity: how much restored photos differ from each other over how much targets
        do, as root mean squares of 8×8 px thumbnails: 1 when restored photos differ as they should,
        0 when all are one. Absent for fewer than two different photos. health/shift_red_levels
        (green, blue): mean over the photos of how much brighter the channel is than the
        target's, 8-bit levels.
        health/colour_shift_levels: the largest of the three, without its sign.
        health/checkerboard: `grid_score` of restored photos over that of targets; 1 when no grid
        was added. Absent when all are smaller than 64 px.
        """
        sums = sums.double()
        pictures, tiled = float(sums[0]), float(sums[1])
        if pictures < 1:
            return {}
        values: dict[str, float] = {}
        if tiled >= 1:
            values["health/checkerboard"] = float(sums[2] / sums[3])
        shifts = (sums[4:7] / pictures).tolist()
        values |= {
            f"health/shift_{channel}_levels": shift for channel, shift in zip(CHANNELS, shifts, strict=True)
        }
        values["health/colour_shift_levels"] = max(abs(shift) for shift in shifts)
        thumbs = sums[9:].view(2, THUMB_VALUES)
        differences = (
            ((sums[7:9] - thumbs.square().sum(1) / pictures) / (pictures * THUMB_VALUES))
            .clamp_min(0)
            .sqrt()
            .tolist()
        )
        if pictures >= 2 and differences[1] > LEAST_DIFFERENCE:
            values["health/diversity"] = differences[0] / differences[1]
        return values


def health_of_pictures(restored: Sequence[Picture], target: Sequence[Picture]) -> dict[str, float]:
    """The indicators that pictures tell; see `PictureHealth.values`. Both: (H, W, 3) uint8 each,
    pair by pair of one size.
    """
    health = PictureHealth()
    for ours, truth in zip(restored, target, strict=True):
        health.add(ours, truth)
    return PictureHealth.values(health.sums())


def grid_score(photo: Tensor) -> float:
    """How much a photo's spectrum stands out at periods of 2 and 4 px, where transposed
    convolutions of stride 2 leave their mark.

    photo: (3, H, W) in 8-bit levels, sides of at least 64 px. The mean over nine frequencies of the
    energy there over the energy beside them, from soft-edged tiles of 64 px. Over the
    target's: 0.7 to 1.4 for blurred and noisy photos, 20 and more for waves of ±2 levels on a smooth
    photo; under rich texture a grid hides from people and from this. Nets with transposed
    convolutions begin at 25 to 200 and fall below 10 as they learn, those that enlarge by resizing
    begin below 1.5.
    Why there are grids: Odena, Dumoulin & Olah 2016, "Deconvolution and checkerboard artifacts".
    """
    steps = [max(TILE_PX // 2, -(-(side - TILE_PX) // (MOST_TILES - 1))) for side in photo.shape[1:]]
    tiles = photo.unfold(1, TILE_PX, steps[0]).unfold(2, TILE_PX, steps[1])
    edge = torch.hann_window(TILE_PX)
    window = edge[:, None] * edge[None, :]
    power = (
        torch.fft.fft2((tiles - tiles.mean((-2, -1), keepdim=True)) * window).abs().square().mean((0, 1, 2))
    )
    floor = FLOOR_LEVELS**2 * window.square().sum()
    beside = power[_BESIDE_DOWN, _BESIDE_ACROSS].mean(1)
    there = power[[down for down, _ in GRID], [across for _, across in GRID]]
    return float(((there + floor) / (beside + floor)).mean())


def _beside() -> tuple[Tensor, Tensor]:
    """The bins beside each of GRID, (9, 12) down and across. On an axis only along it: upright and
    level edges leave a ridge there.
    """
    rows = []
    for down, across in GRID:
        level = [(down, (across + step) % TILE_PX) for step in BESIDE]
        upright = [((down + step) % TILE_PX, across) for step in BESIDE]
        rows.append(2 * level if down == 0 else 2 * upright if across == 0 else level + upright)
    bins = torch.tensor(rows)
    return bins[..., 0], bins[..., 1]


_BESIDE_DOWN, _BESIDE_ACROSS = _beside()
