"""The first weights of a net, drawn from a named source."""

from __future__ import annotations

import math

import torch
from torch import nn

from components.core.seeds import seed_of
from components.nets.choices import First


def generator_source(seed: int) -> torch.Generator:
    """The random numbers of a generator's first weights: the same on any machine."""
    return torch.Generator().manual_seed(seed_of(seed, "generator"))


def discriminator_source(seed: int, index: int) -> torch.Generator:
    """Those of a discriminator's, by its place among the discriminators."""
    return torch.Generator().manual_seed(seed_of(seed, "discriminator", index))


@torch.no_grad()
def draw_first_weights(net: nn.Module, first: First, source: torch.Generator, *, slope: float = 0.0) -> None:
    """Set the first weights of every convolution and dense layer; biases zero, normalisation 1 and
    0.

    normal: N(0, 0.02²), and N(1, 0.02²) for batch normalisation's scale (Radford et al. 2016;
    pix2pix, DeblurGAN).
    he: N(0, 2 / ((1 + slope²) fan_in)), the signal keeps its size through leaky rectifiers (He et
    al. 2015, eq. 15).
    glorot: uniform within ±sqrt(6 / (fan_in + fan_out)), Keras' default (Glorot & Bengio 2010, eq.
    16).
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            fan_in, fan_out = _fans(layer)
            if first == "normal":
                layer.weight.normal_(0.0, 0.02, generator=source)
            elif first == "he":
                # A transposed convolution spreads its kernel over stride² outputs: each takes in so
                # many times fewer values.
                shared = math.prod(layer.stride) if isinstance(layer, nn.ConvTranspose2d) else 1
                layer.weight.normal_(
                    0.0, (2.0 * shared / ((1.0 + slope**2) * fan_in)) ** 0.5, generator=source
                )
            else:
                end = (6.0 / (fan_in + fan_out)) ** 0.5
                layer.weight.uniform_(-end, end, generator=source)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d) and first == "normal":
            layer.weight.normal_(1.0, 0.02, generator=source)


def _fans(layer: nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear) -> tuple[int, int]:
    """Values that enter one output, and outputs that one value enters, counted as Keras does."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    area = math.prod(layer.kernel_size)
    return layer.in_channels // layer.groups * area, layer.out_channels // layer.groups * area
