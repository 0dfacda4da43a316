"""Kernels on a grid: one kernel everywhere is a convolution, between two nodes is their mixture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve

from components.optics.blurs.convolve import DIRECT_TAPS
from components.optics.blurs.drawn_blur import Floats, Kernel
from components.optics.blurs.filter_flow import COEFFICIENTS, convolved_by_place, tiles
from components.optics.blurs.splat import splatted, trimmed

PHOTO = np.random.default_rng(0).random((90, 77), dtype=np.float32)


def kernel_of(side: int, taps: int) -> Floats:
    rng = np.random.default_rng(taps)
    kernel = np.zeros((side, side), np.float32)
    kernel.flat[rng.permutation(kernel.size)[:taps]] = rng.random(taps) + 0.1
    return kernel / kernel.sum(dtype=np.float32)


@pytest.mark.parametrize(
    ("side", "taps"), [(1, 1), (3, 2), (11, 121), (31, 40), (43, 117), (25, DIRECT_TAPS + 20)]
)
@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_one_kernel_at_every_node_is_a_convolution(side: int, taps: int, nodes: int) -> None:
    kernel = kernel_of(side, taps)
    # SciPy's "mirror" is reflection that does not repeat the edge.
    wanted = convolve(PHOTO.astype(np.float64), kernel.astype(np.float64), mode="mirror")
    kernels = np.broadcast_to(kernel, (nodes, nodes, side, side))
    found = convolved_by_place(
        PHOTO, np.linspace(-3, 95, nodes), np.linspace(7.5, 60.2, nodes), np.ascontiguousarray(kernels)
    )
    assert np.abs(found - wanted).max() < 3e-6


def test_between_nodes_is_a_mixture_by_distance() -> None:
    kernels = np.stack([kernel_of(9, 20), kernel_of(9, 30)])[None]
    apart = [
        convolve(PHOTO.astype(np.float64), kernel.astype(np.float64), mode="mirror") for kernel in kernels[0]
    ]
    share = np.clip((np.arange(77) - 10) / 50, 0, 1)
    found = convolved_by_place(PHOTO, np.array([44.5]), np.array([10.0, 60.0]), kernels)
    assert np.abs(found - (apart[0] * (1 - share) + apart[1] * share)).max() < 3e-6


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_do_not_mix(channels: int) -> None:
    photo = np.random.default_rng(1).random((64, 70, channels), dtype=np.float32)
    kernels = np.stack([kernel_of(9, 20), kernel_of(9, 30)])[None]
    nodes = np.array([30.0]), np.array([10.0, 60.0])
    apart = [
        convolved_by_place(np.ascontiguousarray(photo[:, :, channel]), *nodes, kernels)
        for channel in range(channels)
    ]
    assert np.abs(convolved_by_place(photo, *nodes, kernels) - np.stack(apart, axis=2)).max() < 1e-6


@pytest.mark.parametrize("shape", [(3, 61), (61, 3), (25, 25), (61, 61)])
def test_tiles_hold_all_the_light_and_stay_below_the_fourier_transform(shape: tuple[int, int]) -> None:
    kernel = np.zeros((61, 61), np.float32)
    high, wide = shape
    part = kernel[30 - high // 2 : 31 + high // 2, 30 - wide // 2 : 31 + wide // 2]
    part.flat[np.random.default_rng(2).permutation(part.size)[:100]] = 1.0
    whole = np.zeros_like(kernel)
    for row, column, tile in tiles(kernel):
        assert tile.size <= COEFFICIENTS
        whole[row : row + tile.shape[0], column : column + tile.shape[1]] += tile
    assert np.array_equal(whole, kernel[::-1, ::-1])


def test_a_splat_keeps_light_and_centroid() -> None:
    rng = np.random.default_rng(3)
    places, weights = rng.normal(0, 4, (5, 50, 2)), rng.random(50)
    weights /= weights.sum()
    for kernel, path in zip(splatted(places, weights), places, strict=True):
        assert float(kernel.sum(dtype=np.float64)) == pytest.approx(1.0, abs=1e-6)
        assert Kernel(kernel).centroid_px == pytest.approx(tuple(weights @ path), abs=1e-5)


def test_trimming_keeps_the_middle_and_the_light() -> None:
    kernel = np.zeros((9, 9), np.float32)
    kernel[4, 2] = kernel[5, 4] = 0.5
    assert trimmed(kernel).tolist() == [[0, 0, 0, 0, 0], [0.5, 0, 0, 0, 0], [0, 0, 0.5, 0, 0]]
