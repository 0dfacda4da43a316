"""The pieces nets are built of, and how their weights begin."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["instance", "none"]
Upsampling = Literal["transposed", "resize"]
# A block over something else is a callable on tensors; nn.Module satisfies it.
Block = Callable[[Tensor], Tensor]


def normalisation(norm: Norm, channels: int) -> list[nn.Module]:
    """The layers a norm's name stands for. Instance statistics are per photo, so neither batch size nor worker count changes them."""
    return [nn.InstanceNorm2d(channels)] if norm == "instance" else []


def upsampler(kind: Upsampling, channels_in: int, channels_out: int) -> list[nn.Module]:
    """Double height and width: a transposed convolution (the papers'), or nearest resize then convolution (no checkerboard)."""
    if kind == "transposed":
        return [nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")]


class ResidualBlock(nn.Module):
    """x + conv(dropout(relu(conv(x)))), both convolutions 3×3 behind reflection padding (Johnson et al. 2016)."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *normalisation(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(dropout)] if dropout > 0 else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *normalisation(norm, channels),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]


class ClampedResidual(nn.Module):
    """clamp(x + tanh(body(x)), -1, 1): the net learns what to change (DeblurGAN's learned residual)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], same out."""
        return torch.clamp(x_NCHW + torch.tanh(self.body(x_NCHW)), -1.0, 1.0)


class Direct(nn.Module):
    """tanh(body(x)): the net paints the whole photo."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], same out."""
        return torch.tanh(self.body(x_NCHW))


class UNetBody(nn.Module):
    """Two 3×3 convolutions a level, halved by stride, doubled by resize convolution, levels joined by concatenation (Ronneberger et al. 2015).

    fold: px of a fold × fold block become channels first (Shi et al. 2016, the inverse of eq. 4): fold² times less work, as much wider a view.
    The last layer begins at zero, so that with a residual output an untrained net leaves the photo as it is.
    """

    def __init__(self, width: int, depth: int, widest: int, norm: Norm, fold: int) -> None:
        super().__init__()
        self.fold = fold
        channels = [min(width * 2**level, widest) for level in range(depth + 1)]
        self.stem = _double(3 * fold**2, channels[0], norm, stride=1)
        self.down = nn.ModuleList(_double(above, below, norm, stride=2) for above, below in itertools.pairwise(channels))
        self.up = nn.ModuleList(nn.Sequential(*upsampler("resize", below, above)) for above, below in itertools.pairwise(channels))
        self.merge = nn.ModuleList(_double(2 * above, above, norm, stride=1) for above in channels[:-1])
        self.head = nn.Conv2d(channels[0], 3 * fold**2, 3, padding=1, padding_mode="reflect")

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W), H and W multiples of fold · 2**depth; same shape out, any range."""
        levels = [self.stem(F.pixel_unshuffle(x_NCHW, self.fold))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            y = merge(torch.cat([up(y), levels.pop()], dim=1))
        return F.pixel_shuffle(self.head(y), self.fold)


class AddedResidual(nn.Module):
    """x + body(x), not bounded: the gradient never dies at the ends of the range; whoever saves the photo clips it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1]; out nearly so."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]


def _double(channels_in: int, channels_out: int, norm: Norm, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1),
        *normalisation(norm, channels_out),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        *normalisation(norm, channels_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


@torch.no_grad()
def begin_normal(net: nn.Module, std: float, generator: torch.Generator) -> None:
    """Convolution weights from N(0, std²), biases zero (Radford et al. 2016; 0.02 in pix2pix and DeblurGAN)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.weight.normal_(0.0, std, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()


@torch.no_grad()
def begin_he(net: nn.Module, slope: float, generator: torch.Generator) -> None:
    """Convolution weights from N(0, 2 / ((1 + slope²) fan_in)), biases zero: keeps the signal's size through leaky rectifiers (He et al. 2015, eq. 15)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            layer.weight.normal_(0.0, (2.0 / ((1.0 + slope**2) * fan_in)) ** 0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
