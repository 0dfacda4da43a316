"""Batches rendered on a GPU that is not there (fake_gpu.py): what the processor hands over goes there through
pinned memory, all is made there, and nobody waits for it, but for what is kept after the first batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fake_gpu import GPU, fake_gpu
from photos import CAMERAS, degradation, photo
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException
from watched_operations import WaitError, Watched

from components.core.seeds import seed_of
from components.optics.degradation import plans
from components.optics.device import render
from components.optics.device.render_inputs import Layout, order_of, stacked, taken

SIDE = 32
Orders = dict[str, Any]
CASES = [
    *((camera, "full size", False) for camera in CAMERAS if camera != "16 bits"),
    ("all", "bicubic", False),
    ("whole sensor", "plain by 3", False),
    ("noise alone", "full size", True),
]


def batch(camera: str, scale: str, grey: bool) -> tuple[Layout, Orders]:
    made = degradation("random_trajectory", camera, scale)
    layout, parts = Layout(made, SIDE), []
    for plan in plans(made, [seed_of("fake", number) for number in range(4)]):
        pixels = photo(140, 150, grey=grey)
        pixels = pixels if made.downscale is None else made.downscale.cut(pixels)
        if taken(layout, plan, 1 if grey else 3):
            parts.append(order_of(layout, plan, pixels, 0, 5 // plan.scale))
    assert parts
    return layout, stacked(layout, parts)


def rendered(layout: Layout, orders: Orders, watched: Watched) -> Tensor:
    """The second batch: the first leaves tables on the GPU."""
    here = {name: torch.from_numpy(values).pin_memory() for name, values in orders.items()}
    render.rendered(layout, {name: values.to(GPU) for name, values in here.items()})
    with watched.without_a_wait():
        there = {name: values.to(GPU, non_blocking=True) for name, values in here.items()}
        return render.rendered(layout, there)


@pytest.mark.parametrize(("camera", "scale", "grey"), CASES)
def test_a_batch_is_rendered_on_the_gpu_without_a_wait(camera: str, scale: str, grey: bool) -> None:
    layout, orders = batch(camera, scale, grey)
    with fake_gpu() as watched:
        found = rendered(layout, orders, watched)
    assert found.device == GPU
    assert found.dtype == torch.uint8
    assert found.shape == (len(orders["part"]), 3, SIDE, SIDE)
    assert len(watched.crossings) == len(orders)


FAULTS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "a table brought anew": lambda table: table.__wrapped__,
    "a table left on the processor": lambda table: lambda device: table(torch.device("cpu"))[None],
    "a number asked for": lambda table: lambda device: table(device) * table(device).sum().item(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_in_the_wrong_place_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, orders = batch("all", "full size", False)
    monkeypatch.setattr(render, "_light_of_levels", FAULTS[fault](render._light_of_levels))
    with fake_gpu() as watched, pytest.raises((WaitError, DataDependentOutputException, RuntimeError)):
        rendered(layout, orders, watched)


def test_tables_of_a_gpu_that_is_gone_are_forgotten() -> None:
    layout, orders = batch("all", "full size", False)
    with fake_gpu() as watched:
        rendered(layout, orders, watched)
    assert render._light_of_levels.cache_info().currsize == 0
