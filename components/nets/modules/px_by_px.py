"""What torch's kernels for a GPU give plane by plane in whatever order the photo came, given px by px where
it came so: a reflected border, and px folded into channels and back. Each is one operation as torch's is;
the convolution behind it need not turn the photo again.

On a processor torch keeps the order itself, and a compiler or an exporter takes its operations as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Border = tuple[int, int, int, int]  # px on the left, on the right, above, below


def is_channels_last(x_NCHW: Tensor) -> bool:
    """In that order and no other, of more than one px."""
    last = x_NCHW.is_contiguous(memory_format=torch.channels_last)
    return last and not x_NCHW.is_contiguous() and x_NCHW.shape[2] * x_NCHW.shape[3] > 1


def with_reflected_border(x_NCHW: Tensor, border: Border) -> Tensor:
    """A photo with a border of its own px, in its type and order of memory."""
    device = x_NCHW.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        # It would be in float32, for a copy there and one back.
        with torch.autocast(device, enabled=False):
            return with_reflected_border(x_NCHW, border)
    # The kernel that is borrowed has no way back whose sums have the same bits each time.
    if _turns(x_NCHW) and not torch.are_deterministic_algorithms_enabled():
        return reflected_px(x_NCHW, border)
    return F.pad(x_NCHW, border, mode="reflect")


def pixel_unshuffle(x_NCHW: Tensor, fold: int) -> Tensor:
    """Squares of fold × fold px to one px of fold² times the channels, in the photo's order of memory."""
    return unshuffled_px(x_NCHW, fold) if _turns(x_NCHW) else F.pixel_unshuffle(x_NCHW, fold)


def pixel_shuffle(x_NCHW: Tensor, fold: int) -> Tensor:
    """The way back (Shi et al. 2016)."""
    return shuffled_px(x_NCHW, fold) if _turns(x_NCHW) else F.pixel_shuffle(x_NCHW, fold)


class ReflectionPad2d(nn.ReflectionPad2d):
    """A border of the photo's own px, in the type and the order that come."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) with its border."""
        return with_reflected_border(x_NCHW, self.padding)


class PixelShuffle(nn.PixelShuffle):
    """Channels to squares of px, in the order that comes."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C · fold², H, W) to (N, C, H · fold, W · fold)."""
        return pixel_shuffle(x_NCHW, self.upscale_factor)


def keep_order(net: nn.Module, device: torch.device) -> nn.Module:
    """The net, which works on that device: on a GPU its convolutions with a reflected border make it so that
    the order stays. Elsewhere they are torch's own, which other tools know by their class.
    """
    for layer in net.modules() if device.type == "cuda" else ():
        if type(layer) is nn.Conv2d and layer.padding_mode == "reflect":
            layer.__class__ = Conv2d
    return net


class Conv2d(nn.Conv2d):
    """torch's convolution with a reflected border."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H', W')."""
        if not _turns(x_NCHW):
            return super().forward(x_NCHW)
        left, right, above, below = self._reversed_padding_repeated_twice
        bordered = with_reflected_border(x_NCHW, (left, right, above, below))
        return F.conv2d(bordered, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def reflected_px(x_NCHW: Tensor, border: Border) -> Tensor:
    """Of px in their order of memory: rows, columns and channels as a solid, whose channels get no border."""
    solid_N1HWC = F.pad(x_NCHW.permute(0, 2, 3, 1)[:, None], (0, 0, *border), mode="reflect")
    return solid_N1HWC[:, 0].permute(0, 3, 1, 2)


def unshuffled_px(x_NCHW: Tensor, fold: int) -> Tensor:
    """`pixel_unshuffle` of px in their order of memory, by one copy."""
    squares = torch.unflatten(torch.unflatten(x_NCHW, 3, (-1, fold)), 2, (-1, fold))
    return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).permute(0, 3, 1, 2)


def shuffled_px(x_NCHW: Tensor, fold: int) -> Tensor:
    """`pixel_shuffle` of px in their order of memory, by one copy."""
    squares = torch.unflatten(x_NCHW, 1, (-1, fold, fold)).permute(0, 4, 2, 5, 3, 1)
    return squares.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def _turns(x_NCHW: Tensor) -> bool:
    """Whether torch's kernels would bring a photo from px by px to plane by plane."""
    return x_NCHW.device.type == "cuda" and not torch.compiler.is_compiling() and is_channels_last(x_NCHW)
