"""Dropout whose masks are drawn as bits: one draw for some fifty values, where torch's asks the source
of chance once a value, which takes a processor as long as the convolution behind it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WORD_BYTES = 7  # of a draw in [0, 2^63) the lower seven bytes are all chance


class BitDropout(nn.Dropout):
    """As nn.Dropout: each value is 0 with probability p, else divided by 1 - p. A p that is no multiple of
    1/256 is met to 2^-17.

    What is drawn depends on torch's seed and on the shape, not on the memory's order.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if not self.training or self.p == 0:
            return x_NCHW
        return x_NCHW * self.mask(x_NCHW, len(x_NCHW))

    def mask(self, x_NCHW: Tensor, photos: int) -> Tensor:
        """0 or 1 / (1 - p) for so many photos like these, in their memory's order."""
        shape = (photos, *x_NCHW.shape[1:])
        keeps = kept(math.prod(shape), self.p, x_NCHW.device).view(shape)
        if x_NCHW.dim() == 4 and x_NCHW.is_contiguous(memory_format=torch.channels_last):
            keeps = keeps.contiguous(memory_format=torch.channels_last)
        return keeps.to(x_NCHW.dtype).mul_(1.0 / (1.0 - self.p))


def kept(count: int, p: float, device: torch.device) -> Tensor:
    """(count,) uint8, 1 with probability 1 - p: of torch's source of chance on the device.

    A half takes one bit, other multiples of 1/256 a byte, any p two bytes.
    """
    if p == 0.5:
        drawn = _bytes(-(-count // 8), device)
        places = torch.arange(8, dtype=torch.uint8, device=device)
        return (drawn[:, None] >> places).bitwise_and_(1).view(-1)[:count]
    if (256 * p).is_integer():
        return (_bytes(count, device) >= int(256 * p)).to(torch.uint8)
    words = _bytes(2 * count, device).view(torch.int16)
    return (words >= round(65536 * p) - 32768).to(torch.uint8)


def _bytes(count: int, device: torch.device) -> Tensor:
    words = torch.empty(-(-count // WORD_BYTES), dtype=torch.int64, device=device).random_()
    return words.view(torch.uint8).view(-1, 8)[:, :WORD_BYTES].reshape(-1)[:count]
