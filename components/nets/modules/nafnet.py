"""NAFNet's blocks and body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from components.nets.modules.over_photo import OverPhoto, joined_moments, moments
from components.nets.modules.px_by_px import PixelShuffle, pixel_shuffle, pixel_unshuffle
from components.nets.norms import Norm


class SimpleGate(nn.Module):
    """Half of the channels times the other half (Chen et al. 2022, eq. 5)."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 2 C, H, W) to (N, C, H, W)."""
        first, second = x_NCHW.chunk(2, dim=1)
        gated: Tensor = first * second
        return gated


class ChannelScale(OverPhoto):
    """Simplified channel attention (Chen et al. 2022, eq. 7): each channel times a linear function of all
    channels' means.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(channels, channels, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        scaled: Tensor = x_NCHW * self.weigh(x_NCHW.mean((2, 3), keepdim=True))
        return scaled

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """Means of a tile's own part."""
        return moments(own_NCHW)

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Means over the photo, (C)."""
        return joined_moments(parts)[:1]

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """A tile weighed by the photo's means."""
        scaled: Tensor = x_NCHW * self.weigh(known[0].to(x_NCHW.dtype).view(1, -1, 1, 1))
        return scaled


class NAFBlock(nn.Module):
    """Neighbours, then channels, each half added with a learned weight that begins at zero (fig. 2d)."""

    def __init__(self, channels: int, norm: Norm, channel_attention: bool) -> None:
        super().__init__()
        wide = 2 * channels
        self.spatial = nn.Sequential(
            *norm.layers(channels),
            nn.Conv2d(channels, wide, 1),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            SimpleGate(),
            *([ChannelScale(channels)] if channel_attention else []),
            nn.Conv2d(channels, channels, 1),
        )
        self.across = nn.Sequential(
            *norm.layers(channels),
            nn.Conv2d(channels, wide, 1),
            SimpleGate(),
            nn.Conv2d(channels, channels, 1),
        )
        self.spatial_weight = nn.Parameter(torch.zeros(channels))
        self.across_weight = nn.Parameter(torch.zeros(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        y = x_NCHW + self.spatial(x_NCHW) * self.spatial_weight.view(1, -1, 1, 1)
        result: Tensor = y + self.across(y) * self.across_weight.view(1, -1, 1, 1)
        return result


class NAFNetBody(nn.Module):
    """Halvings by 2×2 convolutions, doublings by pixel shuffle, levels joined by addition."""

    def __init__(
        self,
        *,
        width: int,
        encoder: Sequence[int],
        middle: int,
        decoder: Sequence[int],
        fold: int,
        norm: Norm,
        channel_attention: bool,
    ) -> None:
        """encoder, decoder: blocks a level, from full size down and from the smallest up."""
        super().__init__()

        def blocks(count: int, channels: int) -> nn.Sequential:
            return nn.Sequential(*(NAFBlock(channels, norm, channel_attention) for _ in range(count)))

        self.fold = fold
        channels = [width * 2**level for level in range(len(encoder) + 1)]
        self.stem = nn.Conv2d(3 * fold**2, width, 3, padding=1)
        self.encoder = nn.ModuleList(map(blocks, encoder, channels))
        self.down = nn.ModuleList(nn.Conv2d(one, 2 * one, 2, stride=2) for one in channels[:-1])
        self.middle = blocks(middle, channels[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(one, 2 * one, 1, bias=False), PixelShuffle(2)) for one in channels[:0:-1]
        )
        self.decoder = nn.ModuleList(map(blocks, decoder, channels[-2::-1]))
        self.head = nn.Conv2d(width, 3 * fold**2, 3, padding=1)

    def begin_at_zero(self) -> None:
        """Let the last layer give zero, whatever comes."""
        nn.init.zeros_(self.head.weight)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W), H and W multiples of fold · 2**levels; same shape out, any range."""
        y = self.stem(pixel_unshuffle(x_NCHW, self.fold))
        levels = []
        for encode, down in zip(self.encoder, self.down, strict=True):
            y = encode(y)
            levels.append(y)
            y = down(y)
        y = self.middle(y)
        for up, decode in zip(self.up, self.decoder, strict=True):
            y = decode(up(y) + levels.pop())
        return pixel_shuffle(self.head(y), self.fold)
