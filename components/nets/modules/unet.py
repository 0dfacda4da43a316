"""The demo's small U-Net."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from components.nets.modules.global_context import GlobalContext
from components.nets.modules.px_by_px import pixel_shuffle, pixel_unshuffle
from components.nets.norms import Norm

SLOPE = 0.1


class UNetBody(nn.Module):
    """Two 3×3 convolutions a level, halved by stride, doubled by resize convolution, levels joined
    by concatenation (Ronneberger et al. 2015).

    fold: px of a fold × fold block become channels first (Shi et al. 2016, the inverse of eq. 4):
    fold² times less work, as much wider a view. The last layer begins at zero, so that with a
    residual output an untrained net leaves the photo as it is.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        widest: int,
        fold: int,
        norm: Norm,
        channels_in: int = 3,
        global_context: bool = False,
    ) -> None:
        """global_context: every level lets its places know of the whole photo."""
        super().__init__()
        self.fold = fold
        channels = [min(width * 2**level, widest) for level in range(depth + 1)]
        self.stem = twice(channels_in * self.fold**2, channels[0], norm, stride=1)
        self.down = nn.ModuleList(
            twice(above, below, norm, stride=2) for above, below in itertools.pairwise(channels)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), reflected(below, above))
            for above, below in itertools.pairwise(channels)
        )
        self.merge = nn.ModuleList(twice(2 * above, above, norm, stride=1) for above in channels[:-1])
        self.head = reflected(channels[0], 3 * self.fold**2)
        self.contexts = nn.ModuleList(GlobalContext(each) for each in channels if global_context)

    def begin_at_zero(self) -> None:
        """Let the last layer give zero, whatever comes."""
        nn.init.zeros_(self.head.weight)
        for context in self.contexts:
            assert isinstance(context, GlobalContext)
            context.begin_without_effect()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, channels_in, H, W), H and W multiples of fold · 2**depth; (N, 3, H, W) out, any range."""
        levels = [self.stem(pixel_unshuffle(x_NCHW, self.fold))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = self._in_context(levels.pop(), len(self.down))
        for level in reversed(range(len(self.down))):
            joined = torch.cat([self.up[level](y), levels.pop()], dim=1)
            y = self._in_context(self.merge[level](joined), level)
        return pixel_shuffle(self.head(y), self.fold)

    def _in_context(self, y_NCHW: Tensor, level: int) -> Tensor:
        """A level that knows of the whole photo, where the net has that."""
        known: Tensor = self.contexts[level](y_NCHW) if self.contexts else y_NCHW
        return known


def reflected(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 3×3 convolution that sees the photo's own px beyond its border."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")


def twice(channels_in: int, channels_out: int, norm: Norm, stride: int) -> nn.Sequential:
    """Two 3×3 convolutions, each normalised and rectified; the first may halve."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1),
        *norm.layers(channels_out),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        *norm.layers(channels_out),
        nn.LeakyReLU(SLOPE, inplace=True),
    )
