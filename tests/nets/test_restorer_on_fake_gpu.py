"""A photo restored on a GPU that is not there (fake_gpu.py): nets of all kinds, whole and in tiles. It goes
there and back through pinned memory, nobody waits but for each piece's last number, nothing is read before it
has come, and convolutions get photos px by px, in the precision that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from fake_gpu import fake_gpu
from test_exact_tiles import KINDS as IN_TILES
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException
from watched_operations import WaitError, Watched

from components.nets.generators import Generator, UNet, VideoFlow
from components.nets.reach import reach_of
from components.nets.restore import Restorer

KINDS: dict[str, Generator] = IN_TILES | {"video_flow": VideoFlow(width=4, depth=1)}
# Here some convolution gets photos plane by plane: they come from a Fourier transform, from convolutions over
# time, from torch's grid_sample, or from its kernel that doubles a photo's side, below 16 channels.
SOME_PLANE_BY_PLANE = {"wiener_unet", "video_3d", "video_3d_instance", "video_flow", "conv_unet"}
WHOLE, TILED = (40, 56), (300, 280)
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@pytest.fixture
def watched() -> Iterator[Watched]:
    with fake_gpu() as found:
        yield found


def restorer(part: Generator, precision: Any = "fp32") -> Restorer:
    return Restorer(part.build(seed=0), part, device="cuda:0", tile_px=256, precision=precision)


def restore(made: Restorer, size: tuple[int, int], watched: Watched) -> tuple[int, int]:
    """Copies to the GPU, and from it."""
    photo = np.zeros((*size, 3 * made.window), np.float32)
    with watched.without_a_wait():
        result = made.restore(photo)
    assert result.shape == (made.scale * size[0], made.scale * size[1], 3)
    there = sum("to cuda" in crossing for crossing in watched.crossings)
    return there, len(watched.crossings) - there


@pytest.mark.parametrize("name", KINDS)
def test_a_photo_goes_there_and_back_once_and_is_waited_for_once(name: str, watched: Watched) -> None:
    precision = "fp32" if KINDS[name].window > 1 else "bf16"
    assert restore(restorer(KINDS[name], precision), WHOLE, watched) == (1, 1)
    assert watched.waits == 1
    if KINDS[name].window == 1:
        assert set(watched.types) == {TYPES[precision]}
    orders = set(watched.convolutions)
    assert orders
    assert not any(weights == "first" for _, weights, _ in orders), orders
    if name not in SOME_PLANE_BY_PLANE:
        assert {photos for photos, _, _ in orders} <= {"last", "either"}, orders


def test_every_kind_of_net_is_tried() -> None:
    assert {type(part) for part in KINDS.values()} == set(get_args(get_args(Generator)[0]))


@pytest.mark.parametrize("name", ["unet", "resnet_attention", "wiener_unet"])
def test_each_tile_is_waited_for_once_and_a_survey_never(name: str) -> None:
    reach_of(KINDS[name])  # measured, which takes values
    with fake_gpu() as watched:
        there, back = restore(restorer(KINDS[name]), TILED, watched)
    assert back == watched.waits > 1
    surveyed = name != "unet"
    assert there > back if surveyed else there == back
    assert set(watched.types) == {torch.float32}


class Slow(nn.Module):
    """In front of a net, what would hold it up."""

    def __init__(self, net: nn.Module, fault: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._net, self._fault = net, fault

    def forward(self, x: Tensor) -> Tensor:
        return self._net(self._fault(x))


class Faulty(Restorer):
    """What a Restorer must not do, by name."""

    fault = ""

    def _input(self, photo: Any) -> Tensor:
        if self.fault not in ("pageable", "waited for"):
            return super()._input(photo)
        plain = torch.from_numpy(photo)
        there = plain.to(self.device, non_blocking=self.fault == "pageable")
        return there.permute(2, 0, 1)[None]

    def _output(self, photo: Tensor) -> Any:
        if self.fault == "cpu()":
            return photo.cpu().numpy()
        if self.fault != "read too early":
            return super()._output(photo)
        pinned = torch.empty(photo.shape, dtype=photo.dtype, pin_memory=True)
        return pinned.copy_(photo, non_blocking=True).numpy()


INSIDE: dict[str, Callable[[Tensor], Tensor]] = {
    "item": lambda x: x / x.amax().item(),
    "truth": lambda x: x if x.mean() > 0 else -x,
    "number from the processor": lambda x: x + torch.tensor([1.0]).to(x.device),
}


@pytest.mark.parametrize("fault", ["pageable", "waited for", "cpu()", "read too early", *INSIDE])
def test_a_wait_and_a_number_read_too_early_are_caught(fault: str, watched: Watched) -> None:
    part = UNet(width=4, depth=1)
    made = Faulty(part.build(seed=0), part, device="cuda:0")
    made.fault = fault
    if fault in INSIDE:
        made.net = Slow(made.net, INSIDE[fault])
    with pytest.raises((WaitError, DataDependentOutputException)):
        restore(made, WHOLE, watched)


def test_a_net_that_stayed_on_the_processor_is_caught(watched: Watched) -> None:
    made = restorer(UNet(width=4, depth=1))
    made.net.to("cpu")
    with pytest.raises(RuntimeError, match=r"cuda:0.*cpu|cpu.*cuda:0"):
        restore(made, WHOLE, watched)
