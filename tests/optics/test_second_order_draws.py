"""What Real-ESRGAN's degradation draws for a photo: the published chances and ranges, each step by itself."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest

from components.optics.downscale import SecondOrder
from components.optics.downscale.kernels import KernelDraw
from components.optics.downscale.rounds import MODES
from components.optics.downscale.second_order import TwoRounds

DRAWS = 4000


@cache
def draws() -> list[TwoRounds]:
    return [SecondOrder().draw(seed) for seed in range(DRAWS)]


def within(found: float, chance: float, count: int = DRAWS) -> bool:
    """Whether a share of draws lies within four standard deviations of its chance."""
    return abs(found - chance) < 4 * math.sqrt(chance * (1 - chance) / count)


def test_published_chances_hold() -> None:
    made = draws()
    kernels = [draw.first.kernel for draw in made]
    assert all(kernel is not None for kernel in kernels)
    shapes = Counter(_shape(kernel) for kernel in kernels if kernel is not None)
    wanted = {
        "gaussian": 0.45,
        "long gaussian": 0.25,
        "generalised": 0.12,
        "long generalised": 0.03,
        "plateau": 0.12,
        "long plateau": 0.03,
    }
    assert within(shapes["sinc"] / DRAWS, 0.1)
    assert all(within(shapes[name] / DRAWS, 0.9 * chance) for name, chance in wanted.items())
    assert within(np.mean([draw.second.kernel is not None for draw in made]), 0.8)
    assert within(np.mean([draw.sinc is not None for draw in made]), 0.8)
    assert within(np.mean([draw.jpeg_last for draw in made]), 0.5)
    for name, up, down in (("first", 0.2, 0.7), ("second", 0.3, 0.4)):
        rounds = [getattr(draw, name) for draw in made]
        assert within(np.mean([drawn.factor > 1 for drawn in rounds]), up)
        assert within(np.mean([drawn.factor < 1 for drawn in rounds]), down)
        assert within(np.mean([drawn.noise.kind == "gaussian" for drawn in rounds]), 0.5)
        assert within(np.mean([drawn.noise.grey for drawn in rounds]), 0.4)
        assert all(within(np.mean([drawn.mode == mode for drawn in rounds]), 1 / 3) for mode in MODES)


def _shape(kernel: KernelDraw) -> str:
    long = kernel.sigma_px is not None and kernel.sigma_px[0] != kernel.sigma_px[1]
    return f"{'long ' if long else ''}{kernel.profile}"


@pytest.mark.parametrize(
    ("name", "factor", "sigma", "poisson", "width"),
    [
        ("first", (0.15, 1.5), (1, 30), (0.05, 3), (0.2, 3.0)),
        ("second", (0.3, 1.2), (1, 25), (0.05, 2.5), (0.2, 1.5)),
    ],
)
def test_published_ranges_are_reached_and_kept(
    name: str, factor: tuple, sigma: tuple, poisson: tuple, width: tuple
) -> None:
    rounds = [getattr(draw, name) for draw in draws()]
    kernels = [drawn.kernel for drawn in rounds if drawn.kernel is not None]
    found = {
        factor: [drawn.factor for drawn in rounds],
        sigma: [drawn.noise.amount for drawn in rounds if drawn.noise.kind == "gaussian"],
        poisson: [drawn.noise.amount for drawn in rounds if drawn.noise.kind == "poisson"],
        width: [each for kernel in kernels if kernel.sigma_px is not None for each in kernel.sigma_px],
        (30, 95): [drawn.jpeg_quality for drawn in rounds],
    }
    for (low, high), values in found.items():
        assert low <= min(values) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(values) <= high
    assert {kernel.side_px for kernel in kernels} == set(range(7, 22, 2))
    betas = [kernel.beta for kernel in kernels if kernel.profile == "generalised"]
    assert within(np.mean([beta < 1 for beta in betas]), 0.5, len(betas))
    assert within(
        np.mean([kernel.beta == 1 for kernel in kernels if kernel.profile == "plateau"]), 0.5, len(betas)
    )
    angles = [
        kernel.angle_rad
        for kernel in kernels
        if kernel.sigma_px is not None and kernel.sigma_px[0] != kernel.sigma_px[1]
    ]
    assert -math.pi <= min(angles) < -0.95 * math.pi
    assert 0.95 * math.pi < max(angles) <= math.pi
    cutoffs = {
        short: [
            kernel.cutoff_rad
            for kernel in kernels
            if kernel.profile == "sinc" and (kernel.side_px < 13) == short
        ]
        for short in (True, False)
    }
    assert math.pi / 3 <= min(cutoffs[True])
    assert math.pi / 5 <= min(cutoffs[False]) < math.pi / 3


def test_changing_one_step_changes_no_other_draw() -> None:
    usual, other = (
        SecondOrder(),
        SecondOrder.model_validate(
            {"first": {"noise": {"gaussian": 0}, "kernel": {"sinc": 1}}, "final_sinc": {"chance": 0}}
        ),
    )
    for seed in range(20):
        one, two = usual.draw(seed), other.draw(seed)
        assert (one.first.factor, one.first.jpeg_quality, one.second, one.mode, one.jpeg_last) == (
            *(two.first.factor, two.first.jpeg_quality, two.second),
            *(two.mode, two.jpeg_last),
        )
        assert one.first.noise.grey == two.first.noise.grey
