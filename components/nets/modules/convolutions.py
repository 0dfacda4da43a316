"""Convolutions and doublings in both dialects: PyTorch's, and Keras' as the seeds' guides use it."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.choices import Padding, Upsampling
from components.nets.modules.px_by_px import PixelShuffle, ReflectionPad2d


class KerasSame(nn.Module):
    """Zero padding as Keras' `same`: outputs are ceil(side / stride), and what cannot be shared
    evenly goes right and below.
    """

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) with its border."""
        (top, bottom), (left, right) = (self._ends(side) for side in x_NCHW.shape[2:])
        return F.pad(x_NCHW, (left, right, top, bottom))

    def _ends(self, side: int) -> tuple[int, int]:
        total = max((math.ceil(side / self.stride) - 1) * self.stride + self.size - side, 0)
        return total // 2, total - total // 2


class KerasCrop(nn.Module):
    """What Keras' `same` cuts off a transposed convolution of stride 2: where its padding would
    have added px, right and below first.

    PyTorch's padding=1 with output_padding=1 cuts left and above instead.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = (size - 2) // 2
        self.last = size - 2 - self.first

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C, 2 H + size - 2, …) to (N, C, 2 H, 2 W)."""
        height, width = x_NCHW.shape[2:]
        return x_NCHW[:, :, self.first : height - self.last, self.first : width - self.last]


def conv(
    channels_in: int,
    channels_out: int,
    size: int,
    *,
    stride: int = 1,
    padding: Padding | Literal["reflect"] = "torch",
    bias: bool = True,
    separable: bool = False,
) -> list[nn.Module]:
    """A convolution that divides the side by its stride; the layers as a list to unpack.

    torch: (size - 1) // 2 zeros on every side, as the PyTorch codes have it; reflect: as many px,
    the photo's own.
    keras: zeros as `padding="same"`.
    separable: a convolution per channel, then one over channels (Howard et al. 2017, "MobileNets"):
    size² times less work where channels are many.
    """
    each_side = (size - 1) // 2
    border: list[nn.Module] = []
    if padding != "torch":
        border = [KerasSame(size, stride) if padding == "keras" else ReflectionPad2d(each_side)]
        each_side = 0
    if not separable:
        return [
            *border,
            nn.Conv2d(channels_in, channels_out, size, stride=stride, padding=each_side, bias=bias),
        ]
    per_channel = nn.Conv2d(
        channels_in, channels_in, size, stride=stride, padding=each_side, groups=channels_in, bias=False
    )
    return [*border, per_channel, nn.Conv2d(channels_in, channels_out, 1, bias=bias)]


def double(
    kind: Upsampling,
    channels_in: int,
    channels_out: int,
    size: int,
    *,
    padding: Padding = "torch",
    bias: bool = True,
    separable: bool = False,
) -> list[nn.Module]:
    """Double height and width, with a kernel of `size` (3 or 4); the layers as a list to unpack.

    transposed: the papers' own; pixel_shuffle: four maps folded into one (Shi et al. 2016); nearest
    and bilinear: enlarge, then a 3×3 convolution, which leaves no checkerboard (Odena et al. 2016).
    """
    if kind == "transposed":
        groups, between, biased = (channels_in, channels_in, False) if separable else (1, channels_out, bias)
        if padding == "keras":
            enlarged = [
                nn.ConvTranspose2d(channels_in, between, size, stride=2, groups=groups, bias=biased),
                KerasCrop(size),
            ]
        else:
            enlarged = [
                nn.ConvTranspose2d(
                    channels_in,
                    between,
                    size,
                    stride=2,
                    padding=1,
                    output_padding=size % 2,
                    groups=groups,
                    bias=biased,
                )
            ]
        return [*enlarged, *([nn.Conv2d(channels_in, channels_out, 1, bias=bias)] if separable else [])]
    if kind == "pixel_shuffle":
        return [
            *conv(channels_in, 4 * channels_out, 3, padding=padding, bias=bias, separable=separable),
            PixelShuffle(2),
        ]
    enlarge = (
        nn.Upsample(scale_factor=2, mode="nearest")
        if kind == "nearest"
        else nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    )
    return [enlarge, *conv(channels_in, channels_out, 3, padding=padding, bias=bias, separable=separable)]
