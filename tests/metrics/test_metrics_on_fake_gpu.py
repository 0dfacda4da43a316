"""Metrics of photos on a GPU that is not there (fake_gpu.py): computed there, in float64 at the end, and
without a wait but for the question whether values lie in [0, 1].
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from fake_gpu import GPU, fake_gpu
from torch import Tensor
from torch._subclasses.fake_tensor import DynamicOutputShapeException
from watched_operations import WaitError, Watched

from components.metrics import METRICS, lpips, photos
from components.nets.modules.lpips import LPIPSNet

# Compared by numpy, or with no photo of its own.
BY_THE_PROCESSOR = {"nss_of_set", "warping_error_dis", "tof_dis"}
ON_THE_GPU = [name for name in METRICS if name not in BY_THE_PROCESSOR]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """LPIPS on weights without values; whether a photo is one was asked before."""
    with fake_gpu() as found:
        net = LPIPSNet("alexnet")
        monkeypatch.setattr(lpips, "lpips_missing", lambda: None)
        monkeypatch.setattr(lpips, "_distance", lambda *_: net)
        monkeypatch.setattr(lpips, "_packaged_distance", lambda: net)
        yield found


def photo(side: int) -> Tensor:
    return torch.empty(2, 3, side, side + 8, device=GPU)


def measured(function: Callable[..., Tensor], watched: Watched, patch: pytest.MonkeyPatch) -> Tensor:
    """The second time: the first one brings weights along."""
    patch.setattr(sys.modules[function.__module__], "check_photos", lambda *_, **__: None, raising=False)
    restored, target = photo(64), photo(64)
    function(restored, target)
    with watched.without_a_wait():
        return function(restored, target)


@pytest.mark.parametrize("name", ON_THE_GPU)
def test_a_metric_is_computed_where_the_photos_are(
    name: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = measured(METRICS[name].function, watched, monkeypatch)
    assert value.shape == (2,)
    assert value.dtype == torch.float64
    assert value.device == GPU
    assert not watched.crossings


def test_the_question_whether_values_are_a_photos_is_all_that_waits(watched: Watched) -> None:
    with watched.without_a_wait(), pytest.raises(WaitError, match="needs a value"):
        photos.check_photos(photo(64), photo(64))


FAULTS: dict[str, Callable[[Tensor], Any]] = {
    "asked for": lambda error: torch.tensor([error.mean().item()]),
    "brought back": lambda error: error.cpu().mean(),
    "beside the processor's": lambda error: error * torch.ones(error.shape),
    "taken by a mask": lambda error: error[error > 0].mean(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_metric_that_waits_or_leaves_the_gpu_is_caught(
    fault: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(restored: Tensor, target: Tensor) -> Tensor:
        return FAULTS[fault](restored - target)

    with pytest.raises((WaitError, DynamicOutputShapeException, RuntimeError)):
        measured(wrong, watched, monkeypatch)
