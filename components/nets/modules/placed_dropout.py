"""Dropout at test time whose draws hang on where a value lies in the photo, not on which tile it is
restored in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from components.nets.modules.over_photo import Place

WORD = 0xFFFFFFFF


@contextlib.contextmanager
def placed_dropout(net: nn.Module, place: Place, seed: int) -> Iterator[None]:
    """What the net's active dropout layers draw while this holds is that of the tile's place in the
    photo; which numbers, says the seed.
    """
    hooks = []
    for number, layer in enumerate(net.modules()):
        if isinstance(layer, nn.Dropout) and layer.training and layer.p > 0:
            hooks.append(layer.register_forward_hook(_Drawn(place, seed + number)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Drawn:
    """Takes the place of a layer's own draws."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place, self._seed = place, seed

    def __call__(self, layer: nn.Dropout, args: tuple[Tensor], result: Tensor) -> Tensor:
        """The layer's input, dropped out by place."""
        x_NCHW = args[0]
        _, channels, height, width = x_NCHW.shape
        tile = self._place.tile
        top, left = tile.top * height // tile.height, tile.left * width // tile.width
        there = x_NCHW.device
        mixed = _mixed(torch.arange(channels, device=there) + self._seed).view(-1, 1, 1)
        mixed = _mixed(mixed + torch.arange(top, top + height, device=there).view(1, -1, 1))
        mixed = _mixed(mixed + torch.arange(left, left + width, device=there).view(1, 1, -1))
        kept = mixed >= int(layer.p * (WORD + 1))
        return x_NCHW * kept.to(x_NCHW.dtype) / (1 - layer.p)


def _mixed(value: Tensor) -> Tensor:
    """32 bits in which each depends on all of the value's: Wellons' lowbias32, in 64 bits, whose
    lower half wraps as 32 would.
    """
    value = value & WORD
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        value = value ^ (value >> shift)
        value = (value * factor) & WORD
    return value ^ (value >> 16)
