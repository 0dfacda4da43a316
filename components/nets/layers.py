"""The layers nets are built of, in both dialects: PyTorch's, and Keras' as the seeds' guides use it
(padding, statistics, first weights).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import torch
import torch.distributed as dist
from pydantic import BeforeValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from components.core.parts import Part

Padding = Literal["torch", "keras"]
Upsampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
First = Literal["normal", "he", "glorot"]


class Instance(Part):
    """Statistics of each photo and channel (Ulyanov et al. 2016): neither batch size nor worker
    count changes them.
    """

    kind: Literal["instance"] = "instance"
    epsilon: float = Field(1e-5, gt=0, lt=1)
    affine: bool = Field(False, description="learn a scale and a shift per channel behind it")

    def layers(self, channels: int) -> list[nn.Module]:
        """The layer, as a list to unpack."""
        return [PhotoNorm2d(channels, eps=self.epsilon, affine=self.affine)]


class Batch(Part):
    """Statistics of the whole batch, over all workers (Ioffe & Szegedy 2015); running means of them
    at test time.
    """

    kind: Literal["batch"] = "batch"
    epsilon: float = Field(1e-5, gt=0, lt=1, description="PyTorch 1e-5; Keras 1e-3")
    momentum: float = Field(
        0.1,
        gt=0,
        le=1,
        description=(
            "share of the new batch in the running means. PyTorch's sense: Keras' momentum is 1 minus it"
        ),
    )

    def layers(self, channels: int) -> list[nn.Module]:
        """The layer, as a list to unpack."""
        return [SharedBatchNorm2d(channels, eps=self.epsilon, momentum=self.momentum)]


class NoNorm(Part):
    """No normalisation: brightness stays what it is."""

    kind: Literal["none"] = "none"

    def layers(self, channels: int) -> list[nn.Module]:
        """Nothing to unpack."""
        return []


def _by_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


# `norm: instance` in a recipe is short for `norm: {kind: instance}`.
Norm = Annotated[Instance | Batch | NoNorm, Field(discriminator="kind"), BeforeValidator(_by_name)]


class PhotoNorm2d(nn.InstanceNorm2d):
    """Instance normalisation that also takes maps of one px, whose mean is the px itself; torch
    refuses them.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if x_NCHW.shape[2:].numel() > 1:
            return super().forward(x_NCHW)
        nothing = x_NCHW - x_NCHW
        return nothing if self.bias is None else nothing + self.bias.view(1, -1, 1, 1)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose batch is that of all workers together, so that their number changes
    no result beyond rounding.

    torch's own SyncBatchNorm refuses processors. The sum over the workers is differentiable, also
    twice (a gradient penalty). Every worker must hold equally many photos. One single value is its
    own mean and becomes the shift, as in Keras, where torch refuses.
    """

    # When not training: use each photo's own statistics, not the running means. Set by
    # nets.restore.for_use.
    photo_statistics = False

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        workers = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        values = workers * x_NCHW.numel() // x_NCHW.shape[1]
        if not self.training and self.photo_statistics:
            return self._scaled(x_NCHW, (2, 3), 1)[0]
        if not self.training or (workers == 1 and values > 1):
            return super().forward(x_NCHW)
        result, mean, variance = self._scaled(x_NCHW, (0, 2, 3), workers)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(variance.flatten() * (values / max(values - 1, 1)), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return result

    def _scaled(self, x_NCHW: Tensor, over: tuple[int, ...], workers: int) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised, scaled and shifted; the mean and the variance it was done with."""
        # Two passes: E[x²] - E[x]² loses what it is after when the mean is large.
        x = x_NCHW.float()
        mean = mean_over_workers(x.mean(over, keepdim=True), workers)
        centred = x - mean
        variance = mean_over_workers(centred.square().mean(over, keepdim=True), workers)
        result = centred * (variance + self.eps).rsqrt() * self.weight.view(1, -1, 1, 1) + self.bias.view(
            1, -1, 1, 1
        )
        return result.to(x_NCHW.dtype), mean, variance


class _Sum(torch.autograd.Function):
    """Sum over the workers; what it hands back is the sum of what they send back, so that it can be
    differentiated any number of times.

    torch.distributed.nn has the same and warns that it will go; its successor is no public name.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result: Tensor = _Sum.apply(gradients[0])
        return result


def mean_over_workers(value: Tensor, workers: int) -> Tensor:
    """Mean of a value that every worker has its own of, differentiable; workers: how many there
    are.
    """
    if workers == 1:
        return value
    total: Tensor = _Sum.apply(value)
    return total / workers


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
        border = [KerasSame(size, stride) if padding == "keras" else nn.ReflectionPad2d(each_side)]
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
            nn.PixelShuffle(2),
        ]
    enlarge = (
        nn.Upsample(scale_factor=2, mode="nearest")
        if kind == "nearest"
        else nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    )
    return [enlarge, *conv(channels_in, channels_out, 3, padding=padding, bias=bias, separable=separable)]


@torch.no_grad()
def begin(net: nn.Module, first: First, source: torch.Generator, *, slope: float = 0.0) -> None:
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
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
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


def _fans(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> tuple[int, int]:
    """Values that enter one output, and outputs that one value enters, counted as Keras does."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    area = math.prod(layer.kernel_size)
    return layer.in_channels // layer.groups * area, layer.out_channels // layer.groups * area
