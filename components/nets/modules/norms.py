"""Normalisation layers: of one photo, and of the batch that all workers hold together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.over_photo import OverPhoto, joined_moments, moments
from components.nets.modules.over_workers import of_every_worker, worker_count
from components.nets.modules.px_by_px import is_channels_last

BAND = 2**17  # values


def mixes_photos(net: nn.Module) -> bool:
    """Whether what a net makes of a photo depends on the others of its batch."""
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in net.modules())


class _PhotoStatistics(OverPhoto):
    """A normalisation by the mean and the variance of the whole photo."""

    eps: float

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """Moments of a tile's own part."""
        return moments(own_NCHW)

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Mean and variance of the photo."""
        return joined_moments(parts)

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """Normalised by the photo's statistics, scaled and shifted."""
        mean, variance = (value.to(x_NCHW.dtype) for value in known)
        own = dict(self.named_parameters(recurse=False))
        return F.batch_norm(
            x_NCHW, mean, variance, own.get("weight"), own.get("bias"), training=False, eps=self.eps
        )


class PhotoNorm2d(_PhotoStatistics, nn.InstanceNorm2d):
    """Instance normalisation that also takes maps of one px, whose mean is the px itself; torch
    refuses them.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        if not torch.compiler.is_compiling() and is_channels_last(x_NCHW):
            # torch's would copy it to the other order and back, three times the time. One photo's
            # statistics are those of a batch of one.
            photos = torch.split(x_NCHW, 1) if len(x_NCHW) > 1 else (x_NCHW,)
            normed = [self._of_one(photo) for photo in photos]
            return torch.cat(normed) if len(normed) > 1 else normed[0]
        # Not shape.numel(): torch.export would fix height and width by it.
        if x_NCHW.shape[2] * x_NCHW.shape[3] > 1:
            return super().forward(x_NCHW)
        nothing = x_NCHW - x_NCHW
        return nothing if self.bias is None else nothing + self.bias.view(1, -1, 1, 1)

    def _of_one(self, photo_NCHW: Tensor) -> Tensor:
        # In this order a processor adds a channel's px up one by one: over a whole photo hundreds of times
        # float32's rounding, and up to a level of 255 at the end of eighteen layers.
        known: tuple[Tensor | None, Tensor | None] = (None, None)
        restores = not self.training and not torch.is_grad_enabled()
        if restores and photo_NCHW.dtype == torch.float32 and photo_NCHW.device.type == "cpu":
            known = _by_bands(photo_NCHW)
        asked = known[0] is None
        return F.batch_norm(photo_NCHW, *known, self.weight, self.bias, asked, 0.0, self.eps)


def _by_bands(photo_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance by channel of one photo, by bands of rows, which a processor's cache holds."""
    _, channels, height, width = photo_NCHW.shape
    bands = torch.split(photo_NCHW, max(1, BAND // (channels * width)), 2)
    mean = torch.stack([band.sum((0, 2, 3)) for band in bands]).sum(0) / (height * width)
    column = mean.view(1, -1, 1, 1)
    squares = torch.stack([(band - column).square_().sum((0, 2, 3)) for band in bands]).sum(0)
    return mean, squares / (height * width)


class ChannelNorm2d(nn.LayerNorm):
    """Layer normalisation of each px over its channels."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return super().forward(x_NCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SharedBatchNorm2d(_PhotoStatistics, nn.BatchNorm2d):
    """Batch normalisation whose batch is that of all workers together, so that their number changes
    no result beyond rounding.

    torch's own SyncBatchNorm refuses processors. The sum over the workers is differentiable, also
    twice (a gradient penalty). Every worker must hold equally many photos. One single value is its
    own mean and becomes the shift, as in Keras, where torch refuses.
    """

    # When not training: use each photo's own statistics, not the running means. Set by
    # nets.restore.for_use.
    photo_statistics = False

    @property
    def looks_over_photo(self) -> bool:
        """Only by the photo's own statistics."""
        return self.photo_statistics

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        workers = worker_count()
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
        mean = x.mean(over, keepdim=True)
        centred = x - mean
        variance = centred.square().mean(over, keepdim=True)
        if workers > 1:
            # The variance within each worker and that between them (Chan et al. 1979), by one message.
            every = of_every_worker(torch.stack([mean, variance]), workers)
            mean = every[:, 0].mean(0)
            variance = (every[:, 1] + (every[:, 0] - mean).square()).mean(0)
            centred = x - mean
        result = centred * (variance + self.eps).rsqrt() * self.weight.view(1, -1, 1, 1) + self.bias.view(
            1, -1, 1, 1
        )
        return result.to(x_NCHW.dtype), mean, variance
