"""Layers whose convolutions go by tiles of answers where that is faster (winograd.py)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules import few_places, winograd
from components.nets.modules.convolution_gradients import conv2d


def fewer_products(net: nn.Module) -> None:
    """Let each convolution of the net that may gain by it go by tiles, wherever it does. Weights and names
    stay, answers to rounding.
    """
    for layer in net.modules():
        if type(layer) in BY_TILES and _may_gain(cast("nn.Conv2d", layer)):
            layer.__class__ = BY_TILES[type(layer)]


class Conv2d(nn.Conv2d):
    """torch's convolution, by tiles where that is faster."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        if not winograd.gains(input.shape, weight, precision):
            return cast("Tensor", super()._conv_forward(input, weight, bias))
        border = cast("tuple[int, int]", self.padding)
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            border = (0, 0)
        return conv2d(input, weight, bias, padding=border)


class LearningConv2d(Conv2d, few_places.Conv2d):
    """By a product where its map has few places, else by tiles where that is faster."""


BY_TILES: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: Conv2d,
    few_places.Conv2d: LearningConv2d,
}


def _may_gain(layer: nn.Conv2d) -> bool:
    least = winograd.LEAST_CHANNELS.get(layer.kernel_size[0])
    return (
        least is not None
        and layer.kernel_size == (layer.kernel_size[0],) * 2
        and {*layer.stride, *layer.dilation, layer.groups} == {1}
        and not isinstance(layer.padding, str)
        and layer.in_channels * layer.out_channels >= least
    )
