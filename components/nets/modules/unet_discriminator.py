"""The U-Net discriminator's layers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.discriminators import SLOPE
from components.nets.norms import Norm


class UNetDiscriminatorBody(nn.Module):
    """Real-ESRGAN's, for photos of any side: what is doubled is brought to the side of its skip."""

    def __init__(self, channels: int, width: int, norm: Norm) -> None:
        super().__init__()

        def layer(before: int, behind: int, size: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(before, behind, size, stride, padding=1, bias=False),
                *norm.layers(behind),
                nn.LeakyReLU(SLOPE, inplace=True),
            )

        self.stem = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE))
        self.down = nn.ModuleList(layer(width * one, 2 * width * one, 4, 2) for one in (1, 2, 4))
        self.up = nn.ModuleList(layer(2 * width * one, width * one, 3, 1) for one in (4, 2, 1))
        self.last = nn.Sequential(layer(width, width, 3, 1), layer(width, width, 3, 1))
        self.logits = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, shown_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, 1, H, W)."""
        levels = [self.stem(shown_NCHW)]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up in self.up:
            skip = levels.pop()
            y = up(F.interpolate(y, size=skip.shape[2:], mode="bilinear", align_corners=False)) + skip
        result: Tensor = self.logits(self.last(y))
        return result
