"""Convolutions whose maps have few places and whose weights are many, learning on a processor: one
matrix product of the weights as they lie (Chellapilla, Puri & Simard 2006, "High Performance
Convolutional Neural Networks for Document Processing", sec. 3).

Reading the weights is all the work there. oneDNN brings them into an order of its own for each pass and
for each gradient, and so takes two to four times as long: benchmarks/few_places.py. Only what learns
goes this way: `learn_by_products` is for a net in training. One that restores or is exported has torch's
layers, which other tools know by their class.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

LEAST_WEIGHTS = 2**20
# Places of the smaller map, over the batch, up to which the product was faster in every shape tried.
MOST_PLACES = {torch.bfloat16: 128, torch.float32: 2}
MOST_PLACES_TRANSPOSED = {torch.bfloat16: 256, torch.float32: 64}
# The same, up to which it is done in the weights' own float32 where bfloat16 is asked for, since bringing
# them there and their gradient back takes longer than it saves: both passes, and the gradient alone.
MOST_AS_THEY_ARE = 4
MOST_GRADIENT_AS_THEY_ARE = 32


def learn_by_products(net: nn.Module) -> None:
    """Let each convolution of the net with many weights work as a product wherever its map has few places.
    Weights, names and answers stay, the last to rounding.
    """
    for layer in net.modules():
        if type(layer) in BY_PRODUCT and cast("Tensor", layer.weight).numel() >= LEAST_WEIGHTS:
            layer.__class__ = BY_PRODUCT[type(layer)]


class Conv2d(nn.Conv2d):
    """torch's convolution, by a product where that is faster."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H', W'), as torch's to rounding."""
        shrinks = self.stride[0] * self.stride[1]
        if self.padding_mode != "zeros" or not _learns_few(self, x_NCHW, shrinks, MOST_PLACES):
            return super().forward(x_NCHW)
        height, width = (
            (side + 2 * border - size) // stride + 1
            for side, border, size, stride in zip(
                x_NCHW.shape[2:], _whole(self.padding), self.kernel_size, self.stride, strict=True
            )
        )
        patches_NKL = F.unfold(
            x_NCHW.to(_precision(x_NCHW)), self.kernel_size, padding=_whole(self.padding), stride=self.stride
        )
        rows_OK, last = _as_they_lie(self.weight)
        if last:
            patches_NKL = (
                torch.unflatten(patches_NKL, 1, (self.in_channels, -1)).transpose(1, 2).flatten(1, 2)
            )
        out_NLC = _Product.apply(patches_NKL.mT, rows_OK, True)
        out_NCHW = out_NLC.mT.reshape(len(x_NCHW), -1, height, width)
        return _finished(out_NCHW, self.bias, x_NCHW)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's transposed convolution, by a product where that is faster."""

    def forward(self, x_NCHW: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, C', H', W'), as torch's to rounding."""
        if output_size is not None or not _learns_few(self, x_NCHW, 1, MOST_PLACES_TRANSPOSED):
            return super().forward(x_NCHW, output_size)
        border = _whole(self.padding)
        size = tuple(
            (side - 1) * stride - 2 * cut + kernel + further
            for side, stride, cut, kernel, further in zip(
                x_NCHW.shape[2:], self.stride, border, self.kernel_size, self.output_padding, strict=True
            )
        )
        rows_IK, last = _as_they_lie(self.weight)
        places_NLI = x_NCHW.to(_precision(x_NCHW)).flatten(2).mT
        patches_NKL = _Product.apply(places_NLI, rows_IK, False).mT
        if last:
            patches_NKL = (
                torch.unflatten(patches_NKL, 1, (-1, self.out_channels)).transpose(1, 2).flatten(1, 2)
            )
        out_NCHW = F.fold(patches_NKL, size, self.kernel_size, padding=border, stride=self.stride)
        return _finished(out_NCHW, self.bias, x_NCHW)


class _Product(Function):
    """x (N, L, I) by weights (I, K), turned by weights (O, I), to (N, L, K) or (N, L, O) in x's type.

    The weights' gradient comes out in float32 as they lie: nothing has to bring it into their order.
    """

    @staticmethod
    def forward(ctx: Any, x_NLI: Tensor, rows: Tensor, turned: bool) -> Tensor:
        x = x_NLI.flatten(0, 1)
        used = rows if len(x) <= MOST_AS_THEY_ARE else rows.to(x.dtype)
        ctx.save_for_backward(x_NLI, rows, used)
        ctx.turned = turned
        with torch.autocast("cpu", enabled=False):
            out = x.to(used.dtype) @ (used.mT if turned else used)
        return torch.unflatten(out.to(x.dtype), 0, x_NLI.shape[:2])

    @staticmethod
    def backward(ctx: Any, g_NLK: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x_NLI, rows, used = ctx.saved_tensors
        if torch.is_grad_enabled():  # this pass is differentiated in its turn, by the weights too
            used = rows.to(used.dtype)
        x, g = x_NLI.flatten(0, 1), g_NLK.flatten(0, 1)
        by_x = by_rows = None
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[0]:
                found = g.to(used.dtype) @ (used if ctx.turned else used.mT)
                by_x = torch.unflatten(found.to(x.dtype), 0, x_NLI.shape[:2])
            if ctx.needs_input_grad[1]:
                if len(x) <= MOST_GRADIENT_AS_THEY_ARE:
                    x, g = x.to(rows.dtype), g.to(rows.dtype)
                by_rows = (g.mT @ x if ctx.turned else x.mT @ g).to(rows.dtype)
        return by_x, by_rows, None


BY_PRODUCT: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: Conv2d,
    nn.ConvTranspose2d: ConvTranspose2d,
}


def _learns_few(
    layer: nn.Conv2d | nn.ConvTranspose2d, x_NCHW: Tensor, shrinks: int, most: dict[torch.dtype, int]
) -> bool:
    """Whether a layer in training on a processor has many weights for few places. shrinks: places that
    become one.
    """
    return (
        not torch.compiler.is_compiling()
        and x_NCHW.device.type == "cpu"
        and layer.weight.requires_grad
        and torch.is_grad_enabled()
        and _lies_well(layer.weight)
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and len(x_NCHW) * x_NCHW.shape[2] * x_NCHW.shape[3] // shrinks <= most.get(_precision(x_NCHW), 0)
    )


def _lies_well(weight: Tensor) -> bool:
    return weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last)


def _as_they_lie(weight: Tensor) -> tuple[Tensor, bool]:
    """Weights as a matrix of their first axis by the others, in the order of the memory; whether the second
    axis is the last there.
    """
    last = not weight.is_contiguous()
    return (weight.permute(0, 2, 3, 1) if last else weight).flatten(1), last


def _precision(x_NCHW: Tensor) -> torch.dtype:
    """The type that a convolution works in here."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x_NCHW.dtype


def _whole(padding: str | tuple[int, ...]) -> tuple[int, int]:
    assert not isinstance(padding, str), "a border in words is not ours"
    return cast("tuple[int, int]", padding)


def _finished(out_NCHW: Tensor, bias: Tensor | None, x_NCHW: Tensor) -> Tensor:
    """With its bias, and in the order of memory that came."""
    if bias is not None:
        out_NCHW = out_NCHW + bias.to(out_NCHW.dtype).view(1, -1, 1, 1)
    channels_last = x_NCHW.is_contiguous(memory_format=torch.channels_last) and not x_NCHW.is_contiguous()
    return out_NCHW.contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )
