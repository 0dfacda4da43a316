"""The renderer by torch against the one on the processor: the same noise to the bit, the same
picture but for the rounding of the blur.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from photos import CAMERAS, KINDS, SCALES, degradation, photo

from components.core.seeds import seed_of, stream
from components.optics import noise
from components.optics.degradation import Degradation, Plan, plans
from components.optics.device.noise import normal_field
from components.optics.device.render import rendered
from components.optics.device.render_inputs import Layout, order_of, stacked, taken
from components.optics.region import Box, part_of

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]
RENDERED = [camera for camera in CAMERAS if camera != "16 bits"]
SIZES = [scale for scale in SCALES if scale != "second order"]
SIDE = 32


@pytest.mark.parametrize("device", DEVICES)
def test_the_noise_has_the_same_bits(device: str) -> None:
    parts = [(7, 0, 0), (2**40 + 3, 5, 3), (123, 1000, 1001)]
    keys, tops, lefts = (
        torch.tensor(values, device=device)
        for values in zip(*((noise.origin(seed), top, left) for seed, top, left in parts), strict=True)
    )
    for channels in (1, 3):
        found = normal_field(keys, tops, lefts, 20, 31, channels).permute(0, 2, 3, 1).cpu().numpy()
        for got, (seed, top, left) in zip(found, parts, strict=True):
            assert np.array_equal(
                got, noise.normal_field(seed, 20, 31, channels=channels, top=top, left=left)
            )


def cases(
    made: Degradation, count: int, *, name: str, grey: bool
) -> list[tuple[Plan, np.ndarray[Any, Any], int, int]]:
    """Plans with photos of several sizes and depths, and places for parts, some of them in the
    photos' corners.
    """
    found = []
    for number, plan in enumerate(plans(made, [seed_of(name, index) for index in range(count)])):
        rng = stream("device parts", name, number)
        pixels = photo(
            *(int(side) for side in rng.integers(140, 200, 2)),
            grey=grey and number % 3 == 1,
            bits=16 if number % 5 == 4 else 8,
        )
        pixels = pixels if made.downscale is None else made.downscale.cut(pixels)
        free = [side // plan.scale - SIDE for side in pixels.shape[:2]]
        top, left = (
            [(0, 0), (free[0], free[1]), (free[0], 0)][number]
            if number < 3
            else (int(rng.integers(each + 1)) for each in free)
        )
        found.append((plan, pixels, top, left))
    return found


def on_device(
    layout: Layout, parts: list[tuple[Plan, np.ndarray[Any, Any], int, int]], device: str
) -> np.ndarray[Any, Any]:
    batch = stacked(layout, [order_of(layout, *part) for part in parts])
    return (
        rendered(layout, {name: torch.from_numpy(values).to(device) for name, values in batch.items()})
        .permute(0, 2, 3, 1)
        .cpu()
        .numpy()
    )


def differences(
    made: Degradation, device: str, *, count: int = 12, name: str = "parts", grey: bool = False
) -> np.ndarray[Any, Any]:
    """Levels between the two renderers, of every pixel of some parts."""
    layout = Layout(made, SIDE)
    parts = [
        part
        for part in cases(made, count, name=name, grey=grey)
        if taken(layout, part[0], 1 if part[1].ndim == 2 else 3)
    ]
    wanted = np.stack(
        [part_of(plan, pixels, Box(top, left, SIDE, SIDE)) for plan, pixels, top, left in parts]
    )
    return np.abs(on_device(layout, parts, device).astype(int) - wanted)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", SIZES)
@pytest.mark.parametrize("camera", RENDERED)
def test_both_renderers_agree(camera: str, scale: str, device: str) -> None:
    """One level may differ where two roundings part; JPEG then makes more of it, but of few blocks."""
    made = degradation("random_trajectory", camera, scale)
    off = differences(made, device, name=camera + scale, grey=made.camera.sensor is None)
    if made.camera.jpeg is None:
        assert off.max() <= 1
        assert (off > 0).mean() < 3e-4
    else:
        # One block of one of eight parts is 4 % of that part, 0.5 % of all.
        assert (off > 0).mean() < 1e-2
        assert off.mean() < 2e-2


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_renderers_agree_on_every_kind_of_blur(kind: str, device: str) -> None:
    off = differences(degradation(kind, "noise alone", "full size"), device, count=6, name=kind)
    assert off.max() <= 1
    assert (off > 0).mean() < 3e-4


@pytest.mark.parametrize("device", DEVICES)
def test_a_part_is_the_same_in_every_batch(device: str) -> None:
    made = degradation("random_trajectory", "whole sensor", "full size")
    layout, parts = Layout(made, SIDE), cases(made, 7, name="batches", grey=False)
    together = on_device(layout, parts, device)
    alone = np.concatenate([on_device(layout, [part], device) for part in parts])
    assert np.array_equal(on_device(layout, parts[::-1], device), together[::-1])
    # One of them is the only one of 16 bits, so that the others came as light there and come as
    # stored pixels here.
    assert np.array_equal(alone, together)


def test_what_has_no_form_on_the_device_is_told() -> None:
    both = degradation("none", "WebP or JPEG", "full size")
    told = [
        taken(Layout(both, SIDE), plan, 3) == (plan.shot.webp_quality is None)
        for plan in plans(both, list(range(20)))
    ]
    assert all(told)
    for camera, scale, channels in (
        ("16 bits", "full size", 3),
        ("whole sensor", "full size", 1),
        ("bare", "second order", 3),
    ):
        made = degradation("none", camera, scale)
        assert not taken(Layout(made, SIDE), plans(made, [1])[0], 1 if channels == 1 else 3)
