"""Where memory ends, smaller tiles go on; joins do not show where a photo is flat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from components.nets.generators import Mobile, ResNet, UNet
from components.nets.restore import Restorer
from components.nets.tiling import Photo, TiledRestorer


class LittleMemory(TiledRestorer):
    """Brightens, and has room for tiles of so many px a side."""

    def __init__(self, room_px: int, tile_px: int = 1024, scale: int = 1) -> None:
        super().__init__(stride=8, scale=scale, smallest_px=8, tile_px=tile_px)
        self.room_px = room_px
        self.seen: list[int] = []

    def _whole(self, photo: Photo) -> Photo:
        self.seen.append(max(photo.shape[:2]))
        if max(photo.shape[:2]) > self.room_px:
            raise MemoryError
        return (photo + 0.1).repeat(self.scale, 0).repeat(self.scale, 1)


@pytest.mark.parametrize(("tile_px", "scale"), [(1024, 1), (2048, 2)])
@pytest.mark.parametrize("size", [(700, 900), (300, 500)])
def test_a_tile_that_memory_does_not_hold_is_halved_until_it_does(
    size: tuple[int, int], tile_px: int, scale: int
) -> None:
    photo = np.random.default_rng(1).random((*size, 3), np.float32)
    restorer = LittleMemory(room_px=300, tile_px=tile_px, scale=scale)
    restored = restorer.restore(photo)
    np.testing.assert_allclose(restored, (photo + 0.1).repeat(scale, 0).repeat(scale, 1), atol=1e-5)
    assert restorer.seen[-1] <= 300
    assert restorer.tile_px <= 300 * scale
    tries = len(restorer.seen)
    restorer.restore(photo)
    assert max(restorer.seen[tries:]) <= 300, "the next photo does not try again what did not fit"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"
            " tried to allocate 63438848 bytes. Error code 12 (Cannot allocate memory)"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        Exception(
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running MatMul node. Status"
            " Message: bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 63438848"
        ),
        RuntimeError("std::bad_alloc"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_the_end_of_memory_is_known_in_whatever_words_it_comes(error: Exception) -> None:
    class Spent(LittleMemory):
        def _whole(self, photo: Photo) -> Photo:
            if max(photo.shape[:2]) > self.room_px:
                raise error
            return photo

    photo = np.random.default_rng(1).random((500, 500, 3), np.float32)
    np.testing.assert_allclose(Spent(room_px=300).restore(photo), photo, atol=1e-5)


def test_what_does_not_fit_in_the_smallest_tile_is_told() -> None:
    with pytest.raises(MemoryError):
        LittleMemory(room_px=100).restore(np.zeros((700, 700, 3), np.float32))


def test_another_error_is_not_taken_for_memory() -> None:
    class Broken(LittleMemory):
        def _whole(self, photo: Photo) -> Photo:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Broken(room_px=5000).restore(np.zeros((700, 700, 3), np.float32))


@pytest.mark.parametrize(
    "part",
    [UNet(width=4, depth=2), Mobile(width=4, blocks=(1, 1)), ResNet(width=4, blocks=1, dropout=0)],
    ids=lambda part: part.kind,
)
def test_joins_do_not_show_on_a_flat_photo(part: UNet | Mobile | ResNet) -> None:
    net = part.build(seed=0)
    random = torch.Generator().manual_seed(0)
    for each in net.parameters():
        if float(each.detach().abs().max()) == 0:
            nn.init.normal_(each, std=0.02, generator=random)
    flat = np.full((400, 520, 3), 0.4, np.float32)
    restored = Restorer(net, part, device="cpu", tile_px=256).restore(flat)
    inner = restored[100:-100, 100:-100]
    assert np.ptp(inner[:: part.stride, :: part.stride], axis=(0, 1)).max() < 1 / 255
