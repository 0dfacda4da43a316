"""What discriminators are built of: a table's convolutions, a dense head, the spectral norm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from components.core.errors import InputError
from components.nets.choices import Bias, Padding
from components.nets.convolution_table import Convolution
from components.nets.modules.convolutions import conv
from components.nets.norms import Norm

SLOPE = 0.2  # of the leaky rectifiers


def convolutions(
    table: Sequence[Convolution],
    channels_in: int,
    norm: Norm,
    bias: Bias,
    padding: Padding,
    *,
    norm_first: bool = True,
) -> nn.Sequential:
    """The layers of a table. norm_first: normalise before the rectifier, as the papers do, or
    behind it (the SRGAN guide).
    """
    layers: list[nn.Module] = []
    for row in table:
        biased = bias == "all" or row.gives_logits or (bias == "ends" and not row.normed)
        layers += conv(channels_in, row.channels, row.size, stride=row.stride, padding=padding, bias=biased)
        if not row.gives_logits:
            normed = norm.layers(row.channels) if row.normed else []
            rectified = nn.LeakyReLU(SLOPE, inplace=True)
            layers += [*normed, rectified] if norm_first else [rectified, *normed]
        channels_in = row.channels
    return nn.Sequential(*layers)


class DenseHead(nn.Module):
    """Convolutions, then dense layers over everything they found."""

    def __init__(self, convolutions: nn.Sequential, dense: nn.Sequential, side_px: int) -> None:
        super().__init__()
        self.convolutions, self.dense, self.side_px = convolutions, dense, side_px

    def forward(self, shown_NCHW: Tensor) -> Tensor:
        """(N, C, side_px, side_px) to (N, 1, 1, 1). Raises InputError for another size."""
        if shown_NCHW.shape[2:] != (self.side_px, self.side_px):
            came = "×".join(str(side) for side in shown_NCHW.shape[2:])
            raise InputError(
                f"this discriminator's dense head takes photos of {self.side_px}×{self.side_px} px, got"
                f" {came}; set its crop_px to the training crop, or choose a discriminator that takes any"
                " size, such as patchgan"
            )
        output: Tensor = self.dense(torch.flatten(self.convolutions(shown_NCHW), 1))
        return output.view(-1, 1, 1, 1)


def normalise_spectrally(net: nn.Module, seed: int) -> None:
    """Hang the norm on every convolution and dense layer. torch draws its start vectors from the
    global source alone, so that is lent.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for layer in list(net.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
