"""What a camera's shake did to one place of a photo it did to the others: a layer that lets every place
know of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.over_photo import OverPhoto

SLOPE = 0.1
SMALLEST = 1e-6  # under the root, so that it has a gradient where all features are zero


class GlobalContext(OverPhoto):
    """Features gathered over the photo with learned attention (Cao et al. 2019, "GCNet", fig. 4d), which
    then scale and shift every channel (Perez et al. 2018, "FiLM", eq. 2); scales stay within 0 and 2.

    Gathered are means and root mean squares. Plain means would tell of a bright sky what they should
    tell of its few edges. It begins without effect.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv2d(channels, 1, 1)
        self.gathered = nn.Conv2d(2 * channels, channels, 1)
        self.change = nn.Conv2d(channels, 2 * channels, 1)

    def begin_without_effect(self) -> None:
        """Let every place count alike, and nothing be changed."""
        for layer in (self.attention, self.change):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.survey is not None:
            return self.survey.forward(self, x_NCHW)
        weights = self.attention(x_NCHW).float().flatten(2).softmax(2)
        features = x_NCHW.float().flatten(2)
        mean, square = ((each * weights).sum(2) for each in (features, features.square()))
        return self._changed(x_NCHW, mean, square)

    def part(self, own_NCHW: Tensor) -> tuple[Tensor, ...]:
        """Largest logit of a tile's own part, the sum of its weights, and weighted sums of features and of
        their squares, (N, C).
        """
        logits = self.attention(own_NCHW).float().flatten(2)
        most = logits.amax(2, keepdim=True)
        weights, features = (logits - most).exp(), own_NCHW.float().flatten(2)
        sums = ((features * weights).sum(2), (features.square() * weights).sum(2))
        return most[..., 0], weights.sum(2), *sums

    def whole(self, parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Weighted means of features and of their squares over the photo, (N, C)."""
        most, *sums = (torch.stack(each).double() for each in zip(*parts, strict=True))
        scale = (most - most.amax(0)).exp()
        weight, *features = ((each * scale).sum(0) for each in sums)
        return tuple((each / weight).float() for each in features)

    def forward_tile(self, x_NCHW: Tensor, known: tuple[Tensor, ...]) -> Tensor:
        """A tile, changed by what the photo is known to hold."""
        return self._changed(x_NCHW, *known)

    def _changed(self, x_NCHW: Tensor, mean_NC: Tensor, square_NC: Tensor) -> Tensor:
        context = torch.cat([mean_NC, (square_NC + SMALLEST).sqrt()], 1)[..., None, None].to(x_NCHW.dtype)
        scale, shift = self.change(F.leaky_relu(self.gathered(context), SLOPE)).chunk(2, 1)
        changed: Tensor = x_NCHW * (1 + scale.tanh()) + shift
        return changed
